"""The stored jobs, as tests write and look at them: synchronously, beside the server."""

from __future__ import annotations

from typing import Self

from pymongo import MongoClient
from pymongo.collection import Collection

from inventory_job.model.client import client_options
from inventory_job.results import StoredDocument


class Store:
    """One database, its collections read and written as the server's are; a context manager."""

    def __init__(self, uri: str, name: str) -> None:
        self.uri = uri
        self.name = name
        options = {**client_options(uri, 5.0), "serverSelectionTimeoutMS": 5000}
        self.client = MongoClient[StoredDocument](uri, connect=False, **options)
        self.jobs: Collection[StoredDocument] = self.client[name]["job"]
        self.job_tasks: Collection[StoredDocument] = self.client[name]["job_task"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def has_transactions(self) -> bool:
        """Whether it is in a replica set."""
        return "setName" in self.client.admin.command("hello")

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()

"""A server to measure, on demo data in an embedded database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from served import Served

from inventory_job.cli.seed import load_demo
from inventory_job.embedded.demo_data import LARGEST_TENANT, Demo
from inventory_job.embedded.mongod import EmbeddedMongod
from inventory_job.embedded.seeding import open_store
from inventory_job.model.client import Database
from inventory_job.model.indexes import ensure_indexes
from loading.callers import Request, mixed_requests

DATABASE = "inventory"
_JOBS = 100_000
_UNTIL = datetime(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Site:
    """A running server, its database, and what to ask it."""

    served: Served
    uri: str
    requests: list[Request]


@contextmanager
def site(directory: Path, settings: dict[str, object]) -> Iterator[Site]:
    """A server with `settings`, as in the environment; log and data go to `directory`."""
    with demo_database(directory) as uri:
        requests = mixed_requests(job_ids_of(uri, LARGEST_TENANT, 20))
        with Served(directory / "server.log", {"MONGO_URI": uri, **settings}) as served:
            yield Site(served, uri, requests)


@contextmanager
def demo_database(directory: Path) -> Iterator[str]:
    """The connection string of an embedded database of demo data, kept in `directory`."""
    with EmbeddedMongod(directory / "data") as mongod:
        with open_store(mongod.uri, DATABASE, 5.0) as store:
            load_demo(store, Demo(_JOBS, 0, _UNTIL))
        asyncio.run(_create_indexes(mongod.uri))
        yield mongod.uri


def job_ids_of(uri: str, domain_id: str, count: int) -> list[str]:
    """The ids of so many jobs of a tenant."""
    with MongoClient[dict[str, Any]](uri) as client:
        jobs = client[DATABASE]["job"].find({"domain_id": domain_id}, {"job_id": 1}, limit=count)
        return [str(job["job_id"]) for job in jobs]


async def _create_indexes(uri: str) -> None:
    database = Database(uri, DATABASE)
    await ensure_indexes(database)
    await database.close()

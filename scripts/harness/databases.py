"""A MongoDB to measure with, and what is in it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from inventory_job.cli.seed import load_demo
from inventory_job.embedded.demo_data import Demo
from inventory_job.embedded.mongod import embedded_mongod
from inventory_job.model.client import Database
from inventory_job.model.documents import INDEXES, Index
from inventory_job.model.indexes import ensure_indexes
from inventory_job.observability.logging import configure_logging

DATABASE = "inventory"
_DEMO = Demo(100_000, 0, datetime(2026, 1, 1))


@contextmanager
def mongodb(uri: str | None = None) -> Iterator[str]:
    """The connection string that is given, else that of an embedded MongoDB."""
    if uri is not None:
        yield uri
        return
    with tempfile.TemporaryDirectory() as folder, embedded_mongod(Path(folder) / "data") as own:
        yield own


@contextmanager
def demo_database(demo: Demo = _DEMO) -> Iterator[str]:
    """The connection string of an embedded MongoDB with demo data and indexes in `DATABASE`."""
    with mongodb() as uri:
        in_database(uri, DATABASE, lambda database: load_demo(database, demo))
        create_indexes(uri, DATABASE)
        yield uri


def create_indexes(uri: str, name: str, indexes: Sequence[Index] = INDEXES) -> None:
    """Creates the indexes that the database of that name lacks. This process logs errors only from
    then on: the output of programs is theirs alone."""
    configure_logging("error", "json")
    in_database(uri, name, lambda database: ensure_indexes(database, indexes))


def in_database(
    uri: str, name: str, work: Callable[[Database], Coroutine[Any, Any, object]]
) -> None:
    """Does `work` on the database of that name, in the server's own way."""

    async def run() -> None:
        database = Database(uri, name)
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(run())


def job_ids_of(uri: str, domain_id: str, count: int) -> list[str]:
    """The ids of so many jobs of a domain."""
    with MongoClient[dict[str, Any]](uri) as client:
        jobs = client[DATABASE]["job"].find({"domain_id": domain_id}, {"job_id": 1}, limit=count)
        return [str(job["job_id"]) for job in jobs]

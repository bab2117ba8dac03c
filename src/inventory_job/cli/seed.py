"""`inventory-job seed`: loads demo data."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from inventory_job.cli.options import read_settings
from inventory_job.cli.paths import expanded
from inventory_job.embedded.data_directory import DataDirectory, EmbeddedError
from inventory_job.embedded.demo_data import Demo, samples
from inventory_job.embedded.mongod import default_data_dir, embedded_mongod
from inventory_job.embedded.seeding import Counts, NotEmpty, load
from inventory_job.errors import ServiceError
from inventory_job.model.client import Database
from inventory_job.model.driver_errors import translated
from inventory_job.settings import Settings
from inventory_job.tasks import ending_with_caller

DEMO_JOBS = 10_000
"""The default number of demo jobs."""


def seed(
    jobs: Annotated[int, typer.Option(min=0, help="Jobs to make, beside the samples.")] = DEMO_JOBS,
    seed: Annotated[int, typer.Option(help="Variant of the data; the same gives the same.")] = 0,
    until: Annotated[
        datetime | None,
        typer.Option(help="End of the year of jobs (UTC); default: midnight today."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Add to a collection that is not empty.")
    ] = False,
    mongo_uri: Annotated[
        str | None,
        typer.Option(
            help="MongoDB connection string. One with a password belongs in "
            "INVENTORY_JOB_MONGO_URI, out of the process list.",
        ),
    ] = None,
    mongo_database: Annotated[str | None, typer.Option(help="Database of the jobs.")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(callback=expanded, help="Directory of the embedded database."),
    ] = None,
) -> None:
    """Load demo data: a year of jobs with their tasks, and the API page's sample jobs.

    Into the database that `serve` would use with the same settings; the embedded one is found
    when it is running, and started for the while when it is not.
    """
    settings = read_settings(mongo_uri=mongo_uri, mongo_database=mongo_database, data_dir=data_dir)
    try:
        demo = Demo(jobs, seed, until or midnight())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--until") from error
    try:
        with _uri(settings) as uri, translated():
            counts = asyncio.run(ending_with_caller(_load(uri, settings, demo, force=force)))
    except (NotEmpty, EmbeddedError, ServiceError, OSError, ValueError) as error:
        reason = error.message if isinstance(error, ServiceError) else str(error)
        typer.echo(f"inventory-job: {reason}", err=True)
        raise typer.Exit(1) from error
    typer.echo(_summary(demo, counts))


async def load_demo(database: Database, demo: Demo, *, force: bool = False) -> Counts:
    """Loads the samples and `demo`, with a progress bar on standard error if that is a terminal.
    Raises NotEmpty and pymongo errors."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        jobs = chain(samples(), demo.documents())
        shown = progress.track(jobs, total=demo.jobs + len(samples()), description="jobs")
        return await load(database, shown, force=force)


def _summary(demo: Demo, counts: Counts) -> str:
    present = demo.jobs + len(samples()) - counts.jobs
    left_alone = f"; {present} jobs were there already" if present else ""
    return f"loaded {counts.jobs} jobs and {counts.tasks} tasks{left_alone}"


def midnight() -> datetime:
    """The start of today, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)


@contextmanager
def _uri(settings: Settings) -> Iterator[str]:
    if settings.mongo_uri is not None:
        yield settings.mongo_uri.get_secret_value()
        return
    data_dir = settings.data_dir or default_data_dir()
    if running := DataDirectory(data_dir).running_uri():
        yield running
        return
    with embedded_mongod(data_dir) as started:
        yield started


async def _load(uri: str, settings: Settings, demo: Demo, *, force: bool) -> Counts:
    seconds = settings.server_selection_seconds
    database = Database(uri, settings.mongo_database, server_selection_seconds=seconds)
    try:
        return await load_demo(database, demo, force=force)
    finally:
        await database.close()

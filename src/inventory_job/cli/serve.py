"""`inventory-job serve`: runs the server until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import structlog
import typer

from inventory_job.app.server import Server
from inventory_job.app.signals import CaughtSignals, log_signals, obey_log_signal
from inventory_job.app.supervisor import Supervisor
from inventory_job.cli.options import read_settings
from inventory_job.embedded.data_directory import EmbeddedError
from inventory_job.embedded.seeding import NotEmpty
from inventory_job.errors import ServiceError
from inventory_job.model.client import Database
from inventory_job.model.driver_errors import translated
from inventory_job.observability.logging import configure_logging
from inventory_job.settings import CannotStart, Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one.")] = None,
    mongo_uri: Annotated[
        str | None,
        typer.Option(
            help="MongoDB connection string; none starts the embedded database. One with a "
            "password belongs in INVENTORY_JOB_MONGO_URI, out of the process list.",
        ),
    ] = None,
    mongo_database: Annotated[str | None, typer.Option(help="Database of the jobs.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory of the embedded database.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of a process.")] = None,
    default_domain_id: Annotated[
        str | None, typer.Option(help="Mode none: the domain of calls that name none.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console.")] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Load demo data first, if there are no jobs.")
    ] = False,
) -> None:
    """Serve until SIGTERM or SIGINT; running calls then have the grace period to finish.

    SIGUSR1 also logs entries of the level debug, until SIGUSR2. With several workers, SIGHUP
    replaces them one by one.

    Every setting can also be given as an environment variable, INVENTORY_JOB_ and its name.
    """
    given = {name: value for name, value in locals().items() if name != "demo"}
    settings = read_settings(**given)
    configure_logging(settings.log_level, settings.log_format)
    try:
        _run(settings, demo=demo)
    except (CannotStart, EmbeddedError, ServiceError, OSError) as error:
        reason = error.message if isinstance(error, ServiceError) else str(error)
        typer.echo(f"inventory-job: {reason}", err=True)
        raise typer.Exit(1) from error


def load_demo_once(database: Database) -> None:
    """Loads the demo data unless there are jobs."""
    # What makes it takes a megabyte, of all servers' memory.
    from inventory_job.cli.seed import DEMO_JOBS, load_demo, midnight  # noqa: PLC0415
    from inventory_job.embedded.demo_data import Demo  # noqa: PLC0415

    try:
        with translated():
            counts = load_demo(database, Demo(DEMO_JOBS, seed=0, until=midnight()))
    except NotEmpty:
        return
    structlog.get_logger(__name__).info("demo data loaded", jobs=counts.jobs, tasks=counts.tasks)


def _run(settings: Settings, *, demo: bool) -> None:
    has_workers = settings.workers > 1
    replacing = [signal.SIGHUP] if has_workers else []
    signals = CaughtSignals([signal.SIGTERM, signal.SIGINT, *replacing, *log_signals()])
    prepare = load_demo_once if demo else None
    if has_workers:
        with Supervisor(settings, prepare) as supervisor:
            supervisor.run(signals)
    else:
        with Server(settings, prepare):
            while (number := signals.next()) in log_signals():
                obey_log_signal(number, settings.log_level)

"""`inventory-job serve`: runs the server until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import structlog
import typer

from inventory_job.app.checks import check
from inventory_job.app.run import end_on_signals, run, with_mongod
from inventory_job.app.server import Server, open_database
from inventory_job.cli.next_steps import next_steps
from inventory_job.cli.options import read_settings
from inventory_job.cli.paths import expanded
from inventory_job.embedded.data_directory import EmbeddedError
from inventory_job.errors import ServiceError
from inventory_job.model.driver_errors import translated
from inventory_job.observability.logging import configure_logging, is_for_people, print_plainly
from inventory_job.settings import CannotStart, InvalidSetting, Settings
from inventory_job.tasks import ending_with_caller


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of gRPC; 0 picks a free one.")] = None,
    http: Annotated[
        bool | None,
        typer.Option("--http/--no-http", help="Serve HTTP and the pages as well, as by default."),
    ] = None,
    http_host: Annotated[
        str | None, typer.Option(help="Address to listen on for HTTP; default: that of gRPC.")
    ] = None,
    http_port: Annotated[int | None, typer.Option(help="Port of HTTP; 0 picks a free one.")] = None,
    mongo_uri: Annotated[
        str | None,
        typer.Option(
            help="MongoDB connection string; none starts the embedded database. One with a "
            "password belongs in INVENTORY_JOB_MONGO_URI, out of the process list.",
        ),
    ] = None,
    mongo_database: Annotated[str | None, typer.Option(help="Database of the jobs.")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(callback=expanded, help="Directory of the embedded database."),
    ] = None,
    auth_mode: Annotated[
        str | None, typer.Option(help="How callers are authenticated: none, jwt or identity.")
    ] = None,
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

    SIGUSR1 also logs entries of the level debug, until SIGUSR2.

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
        raise typer.Exit(2 if isinstance(error, InvalidSetting) else 1) from error


def load_demo_once(settings: Settings) -> bool:
    """Loads the demo data unless there are jobs. Returns whether there is demo data now."""
    with translated():
        return asyncio.run(ending_with_caller(_load_demo_once(settings)))


async def _load_demo_once(settings: Settings) -> bool:
    # Imported only here: the modules take a megabyte, which other servers save.
    from inventory_job.cli.seed import DEMO_JOBS, load_demo, midnight  # noqa: PLC0415
    from inventory_job.embedded.demo_data import LARGEST_TENANT, Demo  # noqa: PLC0415
    from inventory_job.embedded.seeding import NotEmpty  # noqa: PLC0415

    log = structlog.get_logger(__name__)
    demo = Demo(DEMO_JOBS, seed=0, until=midnight())
    log.info("loading demo data, unless there are jobs", jobs=demo.jobs)
    database = open_database(settings)
    try:
        counts = await load_demo(database, demo)
    except NotEmpty:
        log.info("there are jobs already")
        return await database.jobs.find_one({"domain_id": LARGEST_TENANT}, {"_id": 1}) is not None
    finally:
        await database.close()
    log.info("demo data loaded", jobs=counts.jobs, tasks=counts.tasks)
    return True


def show_next_steps(settings: Settings, server: Server) -> None:
    """Prints next steps with the demo data, if callers need no token and the log is for people,
    not JSON."""
    if settings.auth_mode != "none" or not is_for_people(settings.log_format):
        return
    from inventory_job.embedded.demo_data import LARGEST_TENANT  # noqa: PLC0415  as above

    tls = settings.tls_certificate_file is not None
    print_plainly(next_steps(server.address, server.http_address, LARGEST_TENANT, tls=tls))


def _run(settings: Settings, *, demo: bool) -> None:
    end_on_signals()
    with ExitStack() as resources:
        # Fails on invalid settings before a database is started or filled.
        asyncio.run(check(settings))
        settings = with_mongod(settings, resources)
        if demo and load_demo_once(settings):
            run(settings, partial(show_next_steps, settings))
        else:
            run(settings)

"""What a server with some settings would be refused for, found out before anything is started."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import ExitStack

from inventory_job.app.authentication import build_authentication
from inventory_job.app.ports import opening, tls_files
from inventory_job.model.client import Database, InvalidDatabase
from inventory_job.settings import CannotStart, InvalidSetting, Settings
from inventory_job.transport.grpc.tls import server_credentials
from inventory_job.transport.listening import bound_sockets

_ANY_DATABASE = ("mongodb://localhost/", "inventory")


def check(settings: Settings) -> None:
    """Raises CannotStart for settings of the database, authentication, TLS, tracing and ports that
    a server could not start with; opens nothing that stays."""
    asyncio.run(_check_database(settings))
    asyncio.run(_check_authentication(settings))
    if settings.tracing:
        check_tracing()
    with ExitStack() as open_ports:
        with opening("gRPC"):
            if files := tls_files(settings):
                server_credentials(files)
            for bound in bound_sockets(settings.host, settings.port):
                open_ports.enter_context(bound)
        if settings.http:
            with opening("HTTP"):
                for bound in bound_sockets(settings.http_host or settings.host, settings.http_port):
                    open_ports.enter_context(bound)


def check_tracing() -> None:
    """Raises CannotStart when the extra that tracing needs is not installed."""
    try:
        from inventory_job.observability import tracing  # noqa: F401, PLC0415  an extra
    except ImportError as error:
        raise CannotStart(
            "tracing needs the extra otel: pip install 'inventory-job[otel]'."
        ) from error


async def _check_database(settings: Settings) -> None:
    any_uri, any_name = _ANY_DATABASE
    uri = settings.mongo_uri.get_secret_value() if settings.mongo_uri is not None else any_uri
    names = (("mongo_uri", uri, any_name), ("mongo_database", any_uri, settings.mongo_database))
    for setting, uri, name in names:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they are logged when the server opens it
                database = Database(uri, name)
        except InvalidDatabase as error:
            raise InvalidSetting(f"setting {setting}: {error}") from error
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}"
            raise CannotStart(f"A file that mongo_uri names cannot be used: {reason}.") from error
        await database.close()


async def _check_authentication(settings: Settings) -> None:
    await build_authentication(settings).resources.aclose()

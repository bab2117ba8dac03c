"""What a server with some settings would be refused for, found out before anything is started."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from inventory_job.app.authentication import build_authentication
from inventory_job.model.client import Database, InvalidDatabase
from inventory_job.settings import CannotStart, InvalidSetting, Settings
from inventory_job.transport.grpc.tls import InvalidTls, TlsFiles, server_credentials
from inventory_job.transport.listening import PortInUse, bound_sockets

Protocol = Literal["gRPC", "HTTP"]

_ANY_DATABASE = ("mongodb://localhost/", "inventory")


def check(settings: Settings) -> None:
    """Raises CannotStart for settings of the database, authentication, TLS, tracing and ports that
    a server could not start with; opens nothing that stays."""
    asyncio.run(_check_database(settings))
    asyncio.run(_check_authentication(settings))
    if settings.tracing:
        check_tracing()
    files = tls_files(settings)
    if files is not None:
        try:
            server_credentials(files)
        except InvalidTls as error:
            raise CannotStart(str(error)) from error
    _check_ports(settings)


def check_tracing() -> None:
    """Raises CannotStart when the extra that tracing needs is not installed."""
    try:
        from inventory_job.observability import tracing  # noqa: F401, PLC0415  an extra
    except ImportError as error:
        raise CannotStart(
            "tracing needs the extra otel: pip install 'inventory-job[otel]'."
        ) from error


@contextmanager
def moving(protocol: Protocol) -> Iterator[None]:
    """Raises CannotStart for PortInUse, with the option that moves the port of `protocol`."""
    try:
        yield
    except PortInUse as error:
        setting = f"http_{error.wrong}" if protocol == "HTTP" else error.wrong
        option = f"--{setting.replace('_', '-')}"
        raise CannotStart(
            f"The port of {protocol} is not to be had. {error} Choose another {error.wrong} with "
            f"{option} (INVENTORY_JOB_{setting.upper()})."
        ) from error


def tls_files(settings: Settings) -> TlsFiles | None:
    """The files of TLS, None for ports without."""
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return TlsFiles(
        settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file
    )


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
    await build_authentication(settings).close()


def _check_ports(settings: Settings) -> None:
    with ExitStack() as open_ports:
        with moving("gRPC"):
            for bound in bound_sockets(settings.host, settings.port):
                open_ports.enter_context(bound)
        if settings.http:
            with moving("HTTP"):
                for bound in bound_sockets(settings.http_host or settings.host, settings.http_port):
                    open_ports.enter_context(bound)

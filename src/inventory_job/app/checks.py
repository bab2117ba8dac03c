"""Finds out why a server could not start with its settings, before anything is started."""

from __future__ import annotations

import warnings
from contextlib import AsyncExitStack

from pydantic import SecretStr

from inventory_job.app.authentication import build_authenticator
from inventory_job.app.ports import opening, tls_files
from inventory_job.app.server import open_database
from inventory_job.auth.callers import AuthStats
from inventory_job.settings import CannotStart, Settings
from inventory_job.transport.listening import bound_sockets
from inventory_job.transport.tls import server_credentials


async def check(settings: Settings) -> None:
    """Raises CannotStart if a server could not start with these settings of the database,
    authentication, TLS, tracing and ports. Leaves nothing open."""
    if settings.mongo_uri is None:
        settings = settings.model_copy(update={"mongo_uri": SecretStr("mongodb://localhost/")})
    async with AsyncExitStack() as opened:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # logged when the server opens the database
            opened.push_async_callback(open_database(settings).close)
        build_authenticator(settings, opened, AuthStats())
        if settings.tracing:
            _check_tracing()
        with opening("gRPC"):
            if files := tls_files(settings):
                server_credentials(files)
            for bound in bound_sockets(settings.host, settings.port):
                opened.enter_context(bound)
        if settings.http:
            with opening("HTTP"):
                for bound in bound_sockets(settings.http_host or settings.host, settings.http_port):
                    opened.enter_context(bound)


def _check_tracing() -> None:
    try:
        from inventory_job.observability import tracing  # noqa: F401, PLC0415  an extra
    except ImportError as error:
        raise CannotStart(
            "tracing needs the extra otel: pip install 'inventory-job[otel]'."
        ) from error

"""What a server with some settings would be refused for, found out before anything is started."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from inventory_job.app.authentication import build_authentication
from inventory_job.app.ports import opening, tls_files
from inventory_job.settings import CannotStart, Settings
from inventory_job.transport.grpc.tls import server_credentials
from inventory_job.transport.listening import bound_sockets


def check(settings: Settings) -> None:
    """Raises CannotStart for settings of authentication, TLS, tracing and ports that a server could
    not start with; opens nothing that stays."""
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


async def _check_authentication(settings: Settings) -> None:
    await build_authentication(settings).resources.aclose()

"""Part of the composition root: builds the HTTP port; imported only where HTTP is served."""

from __future__ import annotations

from inventory_job.app.ports import Served, tls_files
from inventory_job.auth.policy import is_loopback
from inventory_job.model.client import Database
from inventory_job.model.driver_errors import DRIVER_ERRORS
from inventory_job.settings import Settings
from inventory_job.transport.grpc.server import JOB
from inventory_job.transport.http.app import build_app, method_routes, page_routes, probe_routes
from inventory_job.transport.http.body import BodyReader
from inventory_job.transport.http.calls import JobCalls
from inventory_job.transport.http.connections import Connections
from inventory_job.transport.http.frame import Frame
from inventory_job.transport.http.server import HttpServer
from inventory_job.transport.listening import PortOptions, address_of

_LONGEST_LOOK_MS = 1000
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


def http_server(settings: Settings, served: Served, database: Database) -> HttpServer:
    """Returns the HTTP server, not started yet."""
    connections = Connections(
        settings.connections, settings.request_seconds, settings.unread_seconds
    )
    bodies = BodyReader(settings.max_request_bytes, settings.request_seconds)
    most_values = settings.limits.values
    calls = JobCalls(served.jobs, served.dispatcher, served.call_log, bodies, most_values)
    routes = [
        *method_routes(JOB, calls),
        *probe_routes(lambda: served.health.unready, served.metrics.app()),
        *page_routes(settings.auth_mode, lambda: _first_domain(settings, database)),
    ]
    app = build_app(routes, settings.http_cors_origins)
    host, port = settings.http_host or settings.host, settings.http_port
    listening = PortOptions(host, port, tls_files(settings), settings.grace_seconds)
    return HttpServer(Frame(app, connections, _hosts(settings)), listening, connections)


async def _first_domain(settings: Settings, database: Database) -> str | None:
    """The settings' default domain, else the demo data's domain if that has jobs, else None."""
    if settings.default_domain_id:
        return settings.default_domain_id
    # Imported only here, as the demo data's module takes memory.
    from inventory_job.embedded.demo_data import LARGEST_TENANT  # noqa: PLC0415

    try:
        found = await database.with_server(
            lambda: database.jobs.find_one(
                {"domain_id": LARGEST_TENANT}, {"_id": 1}, max_time_ms=_LONGEST_LOOK_MS
            )
        )
    except DRIVER_ERRORS:
        # The page then offers no domain, and shows the error when it requests jobs.
        return None
    return None if found is None else LARGEST_TENANT


def _hosts(settings: Settings) -> frozenset[str]:
    """The host names that requests may be addressed to (Host header); empty allows any.

    Prevents DNS rebinding, by which another site's page could call a server without tokens.
    """
    listening = settings.http_host or settings.host
    if not (settings.auth_mode == "none" or settings.http_hosts or is_loopback(listening)):
        return frozenset()
    own = (listening, *settings.http_hosts)
    return _LOOPBACK_HOSTS | {address_of(host, 0).removesuffix(":0").lower() for host in own}

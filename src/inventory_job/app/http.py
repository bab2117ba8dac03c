"""Part of the composition root: the HTTP port, built from settings; imported where it is served."""

from __future__ import annotations

from collections.abc import Callable

from inventory_job.app.ports import JOB, Served, tls_files
from inventory_job.auth.policy import is_loopback
from inventory_job.settings import Settings
from inventory_job.transport.http.app import AppOptions, build_app
from inventory_job.transport.http.calls import CallLimits, JobCalls
from inventory_job.transport.http.connections import Connections
from inventory_job.transport.http.server import HttpOptions, HttpServer
from inventory_job.transport.listening import address_of

_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


def http_server(
    settings: Settings, served: Served, when_broken: Callable[[], object]
) -> HttpServer:
    """The port, to be started; `when_broken` is called when serving ends without a stop."""
    connections = Connections(
        settings.connections, settings.request_seconds, settings.unread_seconds
    )
    limits = CallLimits(
        settings.max_request_bytes, settings.limits.values, settings.request_seconds
    )
    calls = JobCalls(served.jobs, served.authorization, served.dispatcher, served.call_log, limits)
    options = AppOptions(
        unready=lambda: served.readiness.unready,
        connections=connections,
        metrics=served.metrics.app(),
        cors_origins=settings.http_cors_origins,
        hosts=_hosts(settings),
    )
    host, port = settings.http_host or settings.host, settings.http_port
    listening = HttpOptions(host, port, tls_files(settings), settings.grace_seconds)
    return HttpServer(build_app(JOB, calls, options), listening, connections, when_broken)


def _hosts(settings: Settings) -> frozenset[str]:
    """The names that requests may be for; any, if empty.

    Without tokens, a page of another site must not get in under a name of its own.
    """
    listening = settings.http_host or settings.host
    if not (settings.auth_mode == "none" or settings.http_hosts or is_loopback(listening)):
        return frozenset()
    own = (listening, *settings.http_hosts)
    return _LOOPBACK_HOSTS | {address_of(host, 0).removesuffix(":0").lower() for host in own}

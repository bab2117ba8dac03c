"""Part of the composition root: the HTTP port, built from settings; imported where it is served."""

from __future__ import annotations

from starlette.types import ASGIApp

from inventory_job.auth.policy import is_loopback
from inventory_job.observability.call_log import Journal
from inventory_job.observability.metrics import Metrics
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.transport.grpc.server import Services, address_of
from inventory_job.transport.grpc.tls import TlsFiles
from inventory_job.transport.http.app import AppOptions, build_app
from inventory_job.transport.http.calls import CallLimits, JobCalls
from inventory_job.transport.http.port import HttpPort, HttpPortOptions
from inventory_job.transport.lanes import Lane

_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


def http_port(  # noqa: PLR0913  all that it serves
    settings: Settings,
    services: Services,
    lane: Lane,
    journal: Journal,
    metrics: Metrics,
    *,
    tls: TlsFiles | None,
    is_shared: bool,
) -> HttpPort:
    """The port, to be started; `is_shared`: other processes listen on it."""
    options = HttpPortOptions(
        settings.http_host or settings.host,
        settings.http_port,
        tls,
        settings.request_seconds,
        settings.grace_seconds,
        is_shared=is_shared,
    )
    return HttpPort(_app(settings, services, lane, journal, metrics), options)


def _app(
    settings: Settings, services: Services, lane: Lane, journal: Journal, metrics: Metrics
) -> ASGIApp:
    limits = CallLimits(
        settings.max_request_bytes, settings.max_response_bytes, settings.request_seconds
    )
    options = AppOptions(
        is_ready=lambda: services.health.is_ready,
        metrics=metrics.app(),
        cors_origins=settings.http_cors_origins,
        # Without tokens, a page of another site must not get in under a name of its own.
        hosts=_hosts(settings.http_host or settings.host),
    )
    calls = JobCalls(services.jobs, services.admission, lane, journal, limits)
    return build_app(job_pb2.DESCRIPTOR.services_by_name["Job"], calls, options)


def _hosts(listening: str) -> frozenset[str]:
    """The names that requests may be for, of a port at the address `listening`; any, if empty."""
    if not is_loopback(listening):
        return frozenset()
    return _LOOPBACK_HOSTS | {address_of(listening, 0).removesuffix(":0").lower()}

"""Part of the composition root: what both ports serve, and the port of gRPC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from inventory_job.observability.call_log import CallLog
from inventory_job.observability.metrics import Metrics
from inventory_job.settings import CannotStart, Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.transport.dispatcher import Dispatcher
from inventory_job.transport.grpc.health import HealthServicer
from inventory_job.transport.grpc.interceptor import CallInterceptor
from inventory_job.transport.grpc.server import GrpcServer, PortOptions, Services
from inventory_job.transport.grpc.servicer import JobServicer
from inventory_job.transport.grpc.tls import InvalidTls, TlsFiles
from inventory_job.transport.limiter import Limiter
from inventory_job.transport.listening import PortInUse

JOB = job_pb2.DESCRIPTOR.services_by_name["Job"]
"""The service."""


@dataclass(frozen=True, slots=True)
class Served:
    """What both ports serve, and what calls pass on their way to it."""

    jobs: JobServicer
    dispatcher: Dispatcher
    call_log: CallLog
    limiter: Limiter
    metrics: Metrics
    health: HealthServicer


def grpc_server(
    settings: Settings, served: Served, when_broken: Callable[[], object]
) -> GrpcServer:
    """The port of gRPC, to be started; `when_broken` is called when serving ends without a stop."""
    interceptor = CallInterceptor(JOB, settings.limits.values, served.dispatcher, served.call_log)
    options = PortOptions(
        host=settings.host,
        port=settings.port,
        tls=tls_files(settings),
        max_request_bytes=settings.max_request_bytes,
        max_response_bytes=settings.max_response_bytes,
        connection_age=settings.connection_seconds,
        connections=settings.connections,
        grace_seconds=settings.grace_seconds,
    )
    services = Services(served.jobs, served.health, interceptor)
    return GrpcServer(options, services, served.limiter, when_broken)


def tls_files(settings: Settings) -> TlsFiles | None:
    """The files of TLS, None for ports without."""
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None or key is None:
        return None
    return TlsFiles(certificate, key, settings.tls_client_ca_file)


@contextmanager
def opening(protocol: Literal["gRPC", "HTTP"]) -> Iterator[None]:
    """Raises CannotStart for InvalidTls and PortInUse, with the option that moves the port."""
    try:
        yield
    except InvalidTls as error:
        raise CannotStart(str(error)) from error
    except PortInUse as error:
        setting = f"http_{error.wrong}" if protocol == "HTTP" else error.wrong
        option = f"--{setting.replace('_', '-')}"
        raise CannotStart(
            f"The port of {protocol} is not to be had. {error} Choose another {error.wrong} with "
            f"{option} (INVENTORY_JOB_{setting.upper()})."
        ) from error

"""Part of the composition root: what both ports share, and the gRPC port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import grpc.aio

from inventory_job.observability.call_log import CallLog
from inventory_job.observability.metrics import Metrics
from inventory_job.settings import CannotStart, Settings
from inventory_job.transport.dispatcher import Dispatcher
from inventory_job.transport.grpc.health import HealthServicer
from inventory_job.transport.grpc.interceptor import CallInterceptor
from inventory_job.transport.grpc.server import JOB, GrpcServer, add_services
from inventory_job.transport.limiter import Limiter
from inventory_job.transport.listening import PortInUse, PortOptions
from inventory_job.transport.servicer import JobServicer
from inventory_job.transport.tls import InvalidTls, TlsFiles

_HANDSHAKE_MS = 2_000
"""How long a client may take for the TLS handshake and the HTTP/2 preface. Until then a silent one
counts towards the connection limit; a client refused there retries after 1 and 2.6 seconds."""


@dataclass(frozen=True, slots=True)
class Served:
    """What the gRPC and the HTTP port share: the servicer, and what calls pass on the way to it."""

    jobs: JobServicer
    dispatcher: Dispatcher
    call_log: CallLog
    limiter: Limiter
    metrics: Metrics
    health: HealthServicer


def grpc_server(settings: Settings, served: Served) -> GrpcServer:
    """Returns the gRPC server, not started yet."""
    interceptor = CallInterceptor(JOB, settings.limits.values, served.dispatcher, served.call_log)
    server = grpc.aio.server(interceptors=[interceptor], options=_channel_options(settings))
    add_services(server, served.jobs, served.health)
    options = PortOptions(settings.host, settings.port, tls_files(settings), settings.grace_seconds)
    return GrpcServer(server, options, served.limiter)


def _channel_options(settings: Settings) -> list[tuple[str, int]]:
    return [
        # On by default, which would let a second server start on the same port without an error.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_request_bytes),
        ("grpc.max_send_message_length", settings.max_response_bytes),
        # Above the length limit of tokens, so that a longer token gets an error with the reason.
        ("grpc.max_metadata_size", 16 * 1024),
        ("grpc.absolute_max_metadata_size", 32 * 1024),
        ("grpc.max_concurrent_streams", 256),
        ("grpc.max_allowed_incoming_connections", settings.connections),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        # At this age gRPC makes the client reconnect, which may lead it to another process.
        ("grpc.max_connection_age_ms", round(settings.connection_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", round(settings.grace_seconds * 1000) + 30_000),
        # Detects a client that vanished without closing its connection, within 90 seconds.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # Clients may send a ping every ten seconds, with or without calls in flight.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", 2),
    ]


def tls_files(settings: Settings) -> TlsFiles | None:
    """The TLS files that the settings name; None if the ports have no TLS."""
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None or key is None:
        return None
    return TlsFiles(certificate, key, settings.tls_client_ca_file)


@contextmanager
def opening(protocol: Literal["gRPC", "HTTP"]) -> Iterator[None]:
    """Turns InvalidTls and PortInUse into CannotStart, which names the option to change."""
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

"""The gRPC port: services, interceptors and options put together, started, drained, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from grpc_reflection.v1alpha import reflection

from inventory_job import __version__
from inventory_job.stubs.spaceone.api.core.v1 import server_info_pb2, server_info_pb2_grpc
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.admission import Admission
from inventory_job.transport.health import Health
from inventory_job.transport.intake import Intake, SlowSenders
from inventory_job.transport.interceptors import CallJournal, Dispatch, Errors
from inventory_job.transport.journal import Journal
from inventory_job.transport.lanes import Lanes
from inventory_job.transport.servicer import JobServicer, ServerInfoServicer
from inventory_job.transport.streams import OpenStreams
from inventory_job.transport.tls import TlsFiles, server_credentials

JOB_SERVICE: str = job_pb2.DESCRIPTOR.services_by_name["Job"].full_name
_SERVER_INFO_SERVICE = server_info_pb2.DESCRIPTOR.services_by_name["ServerInfo"].full_name
_HEALTH_SERVICE = "grpc.health.v1.Health"
_MOST_STREAMS = 256


class PortInUse(Exception):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class PortOptions:
    """What the port is like. Sizes in bytes, times in seconds.

    `is_shared`: other processes listen on the same port. `connection_age` is how long a connection
    may live before its client is asked to make a new one, which may go to another process.
    """

    host: str
    port: int
    tls: TlsFiles | None
    max_request_bytes: int
    max_response_bytes: int
    request_seconds: float
    connection_age: float
    grace_seconds: float
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """What is served. `admission` identifies the callers of `jobs`."""

    jobs: JobServicer
    admission: Admission
    health: Health


class GrpcPort:
    """The services on one port."""

    def __init__(
        self,
        options: PortOptions,
        lanes: Lanes,
        journal: Journal,
        services: Services,
    ) -> None:
        self._options = options
        self._lanes = lanes
        self._health = services.health
        self._senders = SlowSenders(options.request_seconds)
        self._streams = OpenStreams(_MOST_STREAMS)
        self._server = grpc.server(
            lanes.side,
            interceptors=[  # outermost first; see transport.interceptors
                Dispatch(lanes),
                CallJournal(journal),
                Errors(),
                self._streams,
                Intake(self._senders, lanes, _admitting(services.admission)),
            ],
            options=_channel_options(options),
        )
        job_pb2_grpc.add_JobServicer_to_server(services.jobs, self._server)
        server_info_pb2_grpc.add_ServerInfoServicer_to_server(
            ServerInfoServicer(__version__), self._server
        )
        services.health.register(self._server)
        names = (JOB_SERVICE, _SERVER_INFO_SERVICE, _HEALTH_SERVICE, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def start(self) -> int:
        """Listens; the port's number. Raises PortInUse and tls.InvalidTls."""
        options = self._options
        address = address_of(options.host, options.port)
        try:
            port = (
                self._server.add_insecure_port(address)
                if options.tls is None
                else self._server.add_secure_port(address, server_credentials(options.tls))
            )
        except RuntimeError as error:
            raise PortInUse(f"Cannot listen on {address}: is the port in use?") from error
        self._server.start()
        self._senders.start()
        self._health.start()
        return port

    def stop(self) -> None:
        """Says so, accepts nothing more, lets calls finish within the grace period, and ends."""
        self._health.stop()
        ends = time.monotonic() + self._options.grace_seconds
        stopped = self._server.stop(self._options.grace_seconds)
        self._lanes.work.await_idle(max(ends - time.monotonic(), 0))
        # Whoever watches the health has been told, and would only be waited for.
        self._streams.close()
        stopped.wait()
        self._senders.close()
        self._lanes.close()


def address_of(host: str, port: int) -> str:
    """Host and port in one text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _admitting(admission: Admission) -> Callable[[str, grpc.ServicerContext], object]:
    prefix = f"/{JOB_SERVICE}/"

    def admit(method: str, context: grpc.ServicerContext) -> object:
        # The other services tell nothing about tenants, and probes have no tokens.
        if not method.startswith(prefix):
            return None
        return admission.identify(method.removeprefix(prefix), context)

    return admit


def _channel_options(options: PortOptions) -> list[tuple[str, int]]:
    age = round(options.connection_age * 1000)
    return [
        # On by default, and then a second server on the port would start without a word.
        ("grpc.so_reuseport", int(options.is_shared)),
        ("grpc.max_receive_message_length", options.max_request_bytes),
        ("grpc.max_send_message_length", options.max_response_bytes),
        # Room for tokens that are too long, to answer them with the reason.
        ("grpc.max_metadata_size", 16 * 1024),
        ("grpc.absolute_max_metadata_size", 32 * 1024),
        ("grpc.max_concurrent_streams", 256),
        ("grpc.max_connection_age_ms", age),
        ("grpc.max_connection_age_grace_ms", round(options.grace_seconds * 1000) + 30_000),
        # A client that is gone without a word is found out within a minute and a half.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # Clients may ping as often as once in ten seconds, calls or not.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", 2),
    ]

"""The gRPC port: services and options put together, started, drained, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from inventory_job import __version__
from inventory_job.observability.call_log import Journal
from inventory_job.stubs.spaceone.api.core.v1 import server_info_pb2, server_info_pb2_grpc
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.transport.authorization import Admission
from inventory_job.transport.calls import GrpcCalls, Handler, Room
from inventory_job.transport.grpc.health import Health
from inventory_job.transport.grpc.servicer import JobServicer
from inventory_job.transport.grpc.tls import TlsFiles, server_credentials
from inventory_job.transport.intake import Intake
from inventory_job.transport.loop import LoopThread
from inventory_job.transport.side import Collected, ServerInfoServicer, SideCalls

JOB_SERVICE: str = job_pb2.DESCRIPTOR.services_by_name["Job"].full_name
_SERVER_INFO_SERVICE = server_info_pb2.DESCRIPTOR.services_by_name["ServerInfo"].full_name
_HEALTH_SERVICE = "grpc.health.v1.Health"
_MOST_REQUESTS = 16
"""As many requests as this may be held at once, all of the largest size."""
_LAST_SECONDS = 5.0
"""What clients have for getting their answers, and for closing their connections, once nothing else
goes on."""
_HANG_UP_SECONDS = 1.0
"""What gRPC has for closing them."""
_LOOK_SECONDS = 0.1


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
    """The services on one port, in an event loop of its own.

    `when_stopped` is called in it when all calls have ended, `when_broken` when it has ended
    without being stopped: then nothing is served any more.
    """

    def __init__(  # noqa: PLR0913, PLR0917  its parts
        self,
        options: PortOptions,
        room: Room,
        journal: Journal,
        services: Services,
        when_stopped: Callable[[], object],
        when_broken: Callable[[], object],
    ) -> None:
        self._options = options
        self._lane = room.lane
        self._health = services.health
        self._when_stopped = when_stopped
        self._when_broken = when_broken
        self._log = structlog.get_logger(__name__)
        self._intake = Intake(options.request_seconds, _MOST_REQUESTS * options.max_request_bytes)
        self._side = SideCalls(journal, self._intake)
        calls = GrpcCalls(
            services.jobs,
            services.admission,
            room,
            journal,
            self._intake,
            options.max_response_bytes,
        )
        self._methods = _Methods(
            {
                **calls.handlers(job_pb2.DESCRIPTOR.services_by_name["Job"]),
                **self._side.surrounded(_side_handlers(services.health)),
            }
        )
        self._loop = LoopThread("grpc")
        self._server: grpc.aio.Server | None = None
        self._is_stopping = False

    def start(self) -> int:
        """Listens; the port's number. Raises PortInUse and tls.InvalidTls."""
        try:
            port = self._loop.run(self._start())
        except BaseException:
            self._loop.close()
            raise
        self._health.start(self._loop.loop)
        return port

    def stop(self) -> None:
        """Says so, accepts nothing more, lets calls finish within the grace period, and ends."""
        self._health.stop()
        self._loop.run(self._stop())
        self._loop.close()

    async def _start(self) -> int:
        options = self._options
        address = address_of(options.host, options.port)
        server = grpc.aio.server(options=_channel_options(options))
        server.add_generic_rpc_handlers((self._methods,))
        try:
            port = (
                server.add_insecure_port(address)
                if options.tls is None
                else server.add_secure_port(address, server_credentials(options.tls))
            )
        except RuntimeError as error:
            raise PortInUse(f"Cannot listen on {address}: is the port in use?") from error
        await server.start()
        self._server = server
        self._serving = asyncio.create_task(server.wait_for_termination())
        self._serving.add_done_callback(self._ended)
        return port

    def _ended(self, serving: asyncio.Task[Any]) -> None:
        if self._is_stopping or serving.cancelled():
            return
        self._log.error("serving has broken off", exc_info=serving.exception())
        self._health.stop()
        self._when_broken()

    async def _stop(self) -> None:
        assert self._server is not None  # noqa: S101  what has started is stopped
        self._is_stopping = True
        grace = self._options.grace_seconds
        ends = asyncio.get_running_loop().time() + grace
        stopping = asyncio.ensure_future(self._server.stop(grace))
        # Those who send nothing would only be waited for; so would those who watch the health, and
        # have been told.
        self._intake.end()
        await asyncio.to_thread(self._lane.await_idle, grace)
        self._side.close()
        await self._hang_up(stopping, ends)
        self._when_stopped()

    async def _hang_up(self, stopping: asyncio.Future[None], ends: float) -> None:
        """Returns when all connections are closed, which are all that keeps gRPC from stopping; or
        a moment after they should be, `ends` being the last time.

        gRPC waits for clients to have got all that was sent to them, and those may have fallen
        silent. It also waits for calls that it has taken in a moment too late to hand them out (its
        ShutdownAndNotify does not keep PublishNewRpc out), whose clients would do better to try
        again elsewhere.
        """
        assert self._server is not None  # noqa: S101  as above
        clock = asyncio.get_running_loop().time
        others = {asyncio.current_task(), self._serving, stopping}
        until = min(ends, clock() + _LAST_SECONDS)
        while not stopping.done() and clock() < until:
            await asyncio.wait([stopping], timeout=_LOOK_SECONDS)
            # Each call has tasks until its answer is on its way.
            if asyncio.all_tasks() - others:
                until = min(ends, clock() + _LAST_SECONDS)
        if stopping.done():
            return
        hanging_up = asyncio.ensure_future(self._server.stop(None))
        _, left = await asyncio.wait([stopping, hanging_up], timeout=_HANG_UP_SECONDS)
        if left:
            self._log.warning("connections left open")


class _Methods(grpc.GenericRpcHandler):
    """The handlers of all services."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(handler_call_details.method)


def _side_handlers(health: Health) -> dict[str, Handler]:
    collected: Any = Collected()
    server_info_pb2_grpc.add_ServerInfoServicer_to_server(
        ServerInfoServicer(__version__), collected
    )
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, collected)
    names = (JOB_SERVICE, _SERVER_INFO_SERVICE, _HEALTH_SERVICE, reflection.SERVICE_NAME)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # type: ignore[no-untyped-call]
        reflection.aio.ReflectionServicer(names), collected
    )
    handlers: dict[str, Handler] = collected.handlers
    return handlers


def address_of(host: str, port: int) -> str:
    """Host and port in one text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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

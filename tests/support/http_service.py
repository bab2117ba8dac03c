"""The HTTP port alone over a database, for tests, and for looking at pages.

`python -m tests.support.http_service [PORT]` serves demo data until it is interrupted.
"""

from __future__ import annotations

import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from inventory_job.auth.callers import AnonymousAuthenticator, Authenticator
from inventory_job.cli.seed import midnight
from inventory_job.embedded.demo_data import Demo
from inventory_job.embedded.mongod import embedded_mongod
from inventory_job.manager import JobManager
from inventory_job.model.client import Database
from inventory_job.model.counts.cache import CountCache
from inventory_job.observability.call_log import CallLog
from inventory_job.observability.metrics import Metrics
from inventory_job.query.limits import Limits
from inventory_job.transport.dispatcher import Dispatcher
from inventory_job.transport.http.app import build_app, method_routes, page_routes, probe_routes
from inventory_job.transport.http.body import BodyReader
from inventory_job.transport.http.calls import JobCalls
from inventory_job.transport.http.connections import Connections
from inventory_job.transport.http.frame import Frame
from inventory_job.transport.http.server import HttpServer
from inventory_job.transport.limiter import CallLimits, Limiter
from inventory_job.transport.listening import PortOptions
from inventory_job.transport.servicer import JobServicer
from inventory_job.transport.tls import TlsFiles
from tests.support.client import SERVICE
from tests.support.running import LoopThread, seed
from tests.support.store import Store

LIST = "/inventory/v1/job/list"
TENANT = {"content-type": "application/json", "x-domain-id": "domain-1"}
MOST_BYTES = 64 * 1024
"""The largest request of the tests' small ports."""


@dataclass(frozen=True)
class RequestLimits:
    """What a request may have, and how long it may take to arrive."""

    bytes: int
    values: int
    seconds: float


LIMITS = RequestLimits(
    bytes=4 * 1024 * 1024,
    values=Limits().values,
    seconds=10.0,
)


def _ready() -> None:
    """Nothing is in the way."""


async def _no_domain() -> str | None:
    """There is none to begin with."""
    return None


@dataclass(frozen=True)
class HttpPort:
    """What a port may be made with."""

    authenticator: Authenticator = field(default_factory=AnonymousAuthenticator)
    limits: RequestLimits = LIMITS
    calls: CallLimits = field(default_factory=CallLimits)
    max_response_bytes: int = 64 * 1024 * 1024
    unready: Callable[[], str | None] = _ready
    metrics: ASGIApp = field(default_factory=lambda: PlainTextResponse("calls 3"))
    cors_origins: tuple[str, ...] = ()
    hosts: Collection[str] = ()
    auth_mode: str = "none"
    find_domain: Callable[[], Awaitable[str | None]] = _no_domain
    grace_seconds: float = 1.0
    port: int = 0
    tls: TlsFiles | None = None
    connections: int = 1000
    unread_seconds: float = 20.0


@contextmanager
def served(store: Store, port: HttpPort | None = None) -> Iterator[str]:
    """The origin, `http://host:port`, of a port that serves the jobs of `store`."""
    with LoopThread() as loop, ExitStack() as resources:
        opened = _Opened(store, port or HttpPort())
        number = loop.run(opened.start())
        resources.callback(lambda: loop.run(opened.stop()))
        scheme = "https" if port and port.tls else "http"
        yield f"{scheme}://127.0.0.1:{number}"


class _Opened:
    """A port in the running event loop."""

    def __init__(self, store: Store, port: HttpPort) -> None:
        self._store = store
        self._port = port
        self._resources = AsyncExitStack()

    async def start(self) -> int:
        port, resources = self._port, self._resources
        database = Database(self._store.uri, self._store.name)
        resources.push_async_callback(database.close)
        manager = JobManager(database, CountCache(database, 0))
        servicer = JobServicer(manager, Limits(), 20.0)
        dispatcher = Dispatcher(port.authenticator, Limiter(port.calls), port.max_response_bytes)
        bodies = BodyReader(port.limits.bytes, port.limits.seconds)
        log = CallLog(Metrics())
        calls = JobCalls(servicer, dispatcher, log, bodies, port.limits.values)
        connections = Connections(port.connections, port.limits.seconds, port.unread_seconds)
        routes = [
            *method_routes(SERVICE, calls),
            *probe_routes(port.unready, port.metrics),
            *page_routes(port.auth_mode, port.find_domain),
        ]
        server = HttpServer(
            Frame(build_app(routes, port.cors_origins), connections, port.hosts),
            PortOptions("127.0.0.1", port.port, port.tls, port.grace_seconds),
            connections,
        )
        number = await server.start()
        resources.push_async_callback(server.stop)
        return number

    async def stop(self) -> None:
        await self._resources.aclose()


@contextmanager
def client_of(store: Store, port: HttpPort | None = None) -> Iterator[httpx.Client]:
    """A client of such a port."""
    with served(store, port) as origin, httpx.Client(base_url=origin) as client:
        yield client


def connected(origin: str) -> socket.socket:
    """A connection to a port, for what no client would send."""
    host, _, port = origin.partition("//")[2].rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def status_of(response: httpx.Response) -> dict[str, Any]:
    """The google.rpc.Status that the body is, as it must."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert body.keys() == {"code", "message", "details"}
    return dict(body)


def main() -> None:
    """Serves demo data, of a database that is gone afterwards."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_mongod(Path(folder)) as uri,
        Store(uri, "inventory") as store,
    ):
        seed(store, Demo(10_000, seed=0, until=midnight()))
        with served(store, HttpPort(port=port)) as origin:
            sys.stdout.write(f"{origin}  x-domain-id: domain-demo00000001\n")
            sys.stdout.flush()
            signal.sigwait(ends)


if __name__ == "__main__":
    main()

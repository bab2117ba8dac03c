"""The HTTP port: uvicorn in a thread of its own, started, drained, stopped."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import threading
from dataclasses import dataclass
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from inventory_job.transport.grpc.server import PortInUse, address_of
from inventory_job.transport.grpc.tls import TlsFiles
from inventory_job.transport.http.connections import BoundedConnection, Crowd
from inventory_job.transport.http.tls import server_context

_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class HttpPortOptions:
    """What the port is like; times in seconds.

    `request_seconds` is how long the headers of a request may take. `is_shared`: other processes
    listen on the same port. Beyond `connections` those that wait for a request are closed, the
    longest first.
    """

    host: str
    port: int
    tls: TlsFiles | None
    request_seconds: float
    grace_seconds: float
    is_shared: bool = False
    connections: int = 1000


class HttpPort:
    """One application on one port."""

    def __init__(self, app: ASGIApp, options: HttpPortOptions) -> None:
        self._app = app
        self._options = options
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listens; the port's number. Raises PortInUse and transport.tls.InvalidTls."""
        tls = None if self._options.tls is None else server_context(self._options.tls)
        listening = bound_socket(self._options)
        # Connections wait in the backlog until the loop runs.
        self._server = uvicorn.Server(_config(self._app, self._options, tls))
        self._thread = threading.Thread(
            target=_run, args=(self._server, listening), name="http", daemon=True
        )
        self._thread.start()
        number: int = listening.getsockname()[1]
        return number

    def drain(self) -> None:
        """Accepts nothing more from now on, and has the grace period begin; does not wait."""
        if self._server is not None:
            self._server.should_exit = True

    def stop(self) -> None:
        """Drains, lets calls finish within the grace period, and ends."""
        self.drain()
        if self._thread is not None:
            self._thread.join()


def _config(app: ASGIApp, options: HttpPortOptions, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=partial(  # type: ignore[arg-type]
            BoundedConnection, seconds=options.request_seconds, crowd=Crowd(options.connections)
        ),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(options.grace_seconds),
        ssl_context_factory=None if tls is None else lambda config, default: tls,
    )


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    with listening:
        asyncio.run(server.serve(sockets=[listening]))


def bound_socket(options: HttpPortOptions) -> socket.socket:
    """A socket that listens; raises PortInUse."""
    is_ipv6 = ":" in options.host
    try:
        made = socket.create_server(
            (options.host, options.port),
            family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
            backlog=_BACKLOG,
            reuse_port=options.is_shared,
            dualstack_ipv6=is_ipv6 and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        address = address_of(options.host, options.port)
        raise PortInUse(f"Cannot listen on {address}: {error.strerror}.") from error
    # asyncio sends at once (TCP_NODELAY) only where the protocol is said; otherwise the second
    # part of an answer waits 40 ms for the first to be acknowledged.
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, made.detach())

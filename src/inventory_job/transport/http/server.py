"""The HTTP port: uvicorn in the running event loop, started, drained, stopped."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from inventory_job.transport.http.connections import Connections
from inventory_job.transport.listening import PortOptions, bound_sockets
from inventory_job.transport.tls import server_context

_KEEP_ALIVE_SECONDS = 75
_SEND_BUFFER_BYTES = 256 * 1024
_MOST_HEADER_BYTES = 128 * 1024
"""More than the longest token allowed, so that a longer one is refused with the reason."""


class HttpServer:
    """One application on one port; `connections` limits its connections."""

    serving: asyncio.Task[None]
    """Ends when the port is stopped, or when serving has failed."""
    _watching: asyncio.Task[None]

    def __init__(self, app: ASGIApp, options: PortOptions, connections: Connections) -> None:
        self._options = options
        self._connections = connections
        self._server = _Uvicorn(_config(app, options))

    async def start(self) -> int:
        """Listens; returns the port number. Raises PortInUse and tls.InvalidTls."""
        config = self._server.config
        config.load()
        bounded: Any = self._connections.bounding(config.http_protocol_class)
        config.http_protocol_class = bounded
        listening = bound_sockets(self._options.host, self._options.port)
        for each in listening:
            # Accepted connections inherit it. The system's own buffer takes 4 MiB of a response,
            # and bytes in it do not show whether the client reads them.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        # Connections wait in the backlog until uvicorn accepts them.
        self.serving = asyncio.create_task(self._server.serve(sockets=listening))
        self._watching = asyncio.create_task(self._connections.watch())
        return int(listening[0].getsockname()[1])

    async def stop(self) -> None:
        """Graceful shutdown: accepts no more connections, and lets calls finish within the grace
        period. `start` must have returned."""
        self._server.should_exit = True
        await asyncio.wait([self.serving])
        self._watching.cancel()


def _config(app: ASGIApp, options: PortOptions) -> uvicorn.Config:
    tls = options.tls
    return uvicorn.Config(
        app,
        http="h11",  # limits headers, trailers and chunks; keeps trailers out of the headers
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(options.grace_seconds),
        # Without this, a pipelined request inherits the log context of the request before it.
        reset_contextvars=True,
        ssl_context_factory=None if tls is None else lambda *_: server_context(tls),
    )


class _Uvicorn(uvicorn.Server):
    """uvicorn's server without signal handlers: the process has its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Installs no signal handlers."""
        yield

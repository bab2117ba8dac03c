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
"""Larger than a token may be: one that is too long gets an answer with the reason."""


class HttpServer:
    """One application on one port; `connections` bounds its connections."""

    serving: asyncio.Task[None]
    """Ends when the port is stopped, or serving has broken off."""
    _watching: asyncio.Task[None]

    def __init__(self, app: ASGIApp, options: PortOptions, connections: Connections) -> None:
        self._options = options
        self._connections = connections
        self._server = _Uvicorn(_config(app, options))

    async def start(self) -> int:
        """Listens; the port's number. Raises PortInUse and tls.InvalidTls."""
        config = self._server.config
        config.load()
        bounded: Any = self._connections.bounding(config.http_protocol_class)
        config.http_protocol_class = bounded
        listening = bound_sockets(self._options.host, self._options.port)
        for each in listening:
            # Connections have it from here. The system would take 4 MiB of an answer for each, of
            # which nothing shows that its client does not read it.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        # Connections wait in the backlog until uvicorn accepts them.
        self.serving = asyncio.create_task(self._server.serve(sockets=listening))
        self._watching = asyncio.create_task(self._connections.watch())
        return int(listening[0].getsockname()[1])

    async def stop(self) -> None:
        """Accepts nothing more, lets calls finish within the grace period, and ends; for a port
        that has started."""
        self._server.should_exit = True
        await asyncio.wait([self.serving])
        self._watching.cancel()


def _config(app: ASGIApp, options: PortOptions) -> uvicorn.Config:
    tls = options.tls
    return uvicorn.Config(
        app,
        http="h11",  # which bounds headers, trailers and chunks, and takes no trailer for a header
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
        # A request sent behind another would begin with what was bound for the log in that one.
        reset_contextvars=True,
        ssl_context_factory=None if tls is None else lambda *_: server_context(tls),
    )


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, in a process whose signals are handled elsewhere."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield

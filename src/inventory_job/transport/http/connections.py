"""Limits of HTTP connections: how many there are, and how slow their clients may be.

uvicorn has no limit for the number of connections, for the time that headers take, or for a client
that does not read. So each of its protocols is wrapped in one that observes, through the interfaces
of asyncio, when bytes arrive and when the write buffer drains.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Address: TypeAlias = "tuple[str, int] | None"
"""Host and port, as in the ASGI scope; that of the client is None if the connection has ended."""

_LOOK_SECONDS = 0.5
"""How often connections are checked."""
_MOST_BUFFERED_BYTES = 16 * 1024
"""High-water mark of the write buffer: above it the next piece of a response waits."""


class Connections:
    """The connections of one port, at most `most`. For a new one beyond that, the connection idle
    for longest is aborted, or the new one itself if all have a request in flight.

    A new connection without a request, or a request with incomplete headers, is closed after
    `request_seconds`. A connection whose client reads nothing of a response is aborted after
    `unread_seconds`.
    """

    def __init__(self, most: int, request_seconds: float, unread_seconds: float) -> None:
        self._most = most
        self._request_seconds = request_seconds
        self._unread_seconds = unread_seconds
        self._open: OrderedDict[_Bounded, None] = OrderedDict()
        """Ordered by the end of their last request: the one idle for longest is first."""
        self._latest: dict[tuple[Address, Address], _Bounded] = {}
        """By the addresses of both ends. One that the client has reset may still be open beside
        it: while its requests are answered, it is not read from."""

    async def watch(self) -> None:
        """Closes the connections of slow clients, until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for connection in [*self._open]:
                connection.look(time.monotonic(), self._request_seconds, self._unread_seconds)

    def bounding(
        self, protocol: Callable[..., asyncio.Protocol]
    ) -> Callable[..., asyncio.Protocol]:
        """A factory of `protocol` wrapped so as to obey the limits."""
        return lambda *args, **others: _Bounded(protocol(*args, **others), self)

    @contextmanager
    def request_of(self, client: Address, server: Address) -> Iterator[None]:
        """Counts a request in flight, its headers complete, on the connection from `client` to
        `server` until the context exits."""
        connection = self._latest.get((client, server))
        if connection is None:
            yield
            return
        connection.requests += 1
        connection.waiting_since = None
        try:
            yield
        finally:
            connection.requests -= 1
            if connection in self._open:
                self._open.move_to_end(connection)

    def add(self, connection: _Bounded) -> None:
        """Registers a new connection; aborts one if there are too many."""
        if len(self._open) >= self._most:
            silent = (each for each in self._open if not each.requests)
            loser = next(silent, connection)
            loser.transport.abort()
            if loser is connection:
                return
            self.remove(loser)
        self._open[connection] = None
        self._latest[connection.ends] = connection

    def remove(self, connection: _Bounded) -> None:
        """Forgets a connection that has ended."""
        self._open.pop(connection, None)
        if self._latest.get(connection.ends) is connection:
            del self._latest[connection.ends]


class _Bounded(asyncio.Protocol):
    """One connection: passes every event to `inner`, and notes when bytes are received and sent."""

    transport: asyncio.Transport

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._buffered_bytes = 0
        self._progress_at = 0.0
        self._was_taken = False
        self.ends: tuple[Address, Address] = (None, None)
        """The addresses of the client and of the server."""
        self.requests = 0
        """How many requests are in flight."""
        self.waiting_since: float | None = None
        """When the wait for complete headers began; None during a request and between requests."""

    def look(self, now: float, request_seconds: float, unread_seconds: float) -> None:
        """Closes the connection if its client is too slow."""
        buffered = self.transport.get_write_buffer_size()
        # A shrunken buffer may have been refilled since: so resume_writing counts as progress too.
        if buffered == 0 or buffered < self._buffered_bytes or self._was_taken:
            self._progress_at = now
        self._was_taken = False
        self._buffered_bytes = buffered
        if now - self._progress_at > unread_seconds:
            self.transport.abort()
        elif self.waiting_since is not None and now - self.waiting_since > request_seconds:
            self.transport.close()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        # Unread bytes stay in memory, and there may be many connections.
        transport.set_write_buffer_limits(high=_MOST_BUFFERED_BYTES)
        client, server = map(transport.get_extra_info, ("peername", "sockname"))
        self.ends = (client and client[:2], server and server[:2])
        self.waiting_since = self._progress_at = time.monotonic()
        self._inner.connection_made(transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        if not self.requests and self.waiting_since is None:
            self.waiting_since = time.monotonic()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._was_taken = True
        self._inner.resume_writing()

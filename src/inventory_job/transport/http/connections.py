"""Connections over HTTP: how many there are, and how slow their clients may be.

uvicorn limits neither the time of the headers nor that of a client that does not read, and counts
no connections. Each of its protocols is therefore wrapped in one that looks at bytes alone, through
the interfaces of asyncio: which connections are silent, and which clients do not read.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Address: TypeAlias = "tuple[str, int] | None"
"""Host and port of the other end, as ASGI has it; None for a connection that has just ended."""

_LOOK_SECONDS = 0.5

_MOST_BUFFERED_BYTES = 16 * 1024
"""Of an answer, beside the piece that is written last; beyond it the next piece waits."""


class Connections:
    """The connections of one port, at most `most`: beyond, the one that has been silent for longest
    is closed, or the latest when all have a request under way.

    A request that does not begin, or whose headers do not end, within `request_seconds` closes its
    connection. A connection whose client takes nothing of an answer for `unread_seconds` is
    aborted.
    """

    def __init__(self, most: int, request_seconds: float, unread_seconds: float) -> None:
        self._most = most
        self._request_seconds = request_seconds
        self._unread_seconds = unread_seconds
        self._open: OrderedDict[_Bounded, None] = OrderedDict()
        """The one that has been silent for longest first."""
        self._by_address: dict[Address, _Bounded] = {}

    async def watch(self) -> None:
        """Ends the connections of slow clients, until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for connection in [*self._open]:
                connection.look(time.monotonic(), self._request_seconds, self._unread_seconds)

    def bounding(
        self, protocol: Callable[..., asyncio.Protocol]
    ) -> Callable[..., asyncio.Protocol]:
        """A factory of protocols like `protocol`, bounded."""
        return lambda *args, **others: _Bounded(protocol(*args, **others), self)

    @contextmanager
    def request_of(self, client: Address) -> Iterator[None]:
        """Notes that the connection from the address `client` has a request, its headers complete,
        until it is answered."""
        connection = self._by_address.get(client)
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
        """A connection is made."""
        if len(self._open) >= self._most:
            silent = (each for each in self._open if not each.requests)
            loser = next(silent, connection)
            loser.transport.abort()
            if loser is connection:
                return
            del self._open[loser]
        self._open[connection] = None
        self._by_address[connection.address] = connection

    def remove(self, connection: _Bounded) -> None:
        """A connection has ended."""
        self._open.pop(connection, None)
        self._by_address.pop(connection.address, None)


class _Bounded(asyncio.Protocol):
    """One connection: passes all on to `inner`, and notes when bytes come and go."""

    transport: asyncio.Transport

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._buffered_bytes = 0
        self._progress_at = 0.0
        self._was_taken = False
        self.address: Address = None
        self.requests = 0
        """Those under way."""
        self.waiting_since: float | None = None
        """When the wait for the rest of the headers began; between requests nothing has to come."""

    def look(self, now: float, request_seconds: float, unread_seconds: float) -> None:
        """Ends the connection if its client is too slow."""
        buffered = self.transport.get_write_buffer_size()
        # What is written next may have filled the buffer again with as much as was taken.
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
        # What a client does not take stays in memory, for each of many connections.
        transport.set_write_buffer_limits(high=_MOST_BUFFERED_BYTES)
        peer = transport.get_extra_info("peername")
        self.address = peer and peer[:2]
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

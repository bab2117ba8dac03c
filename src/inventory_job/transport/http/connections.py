"""Connections that take only so long, and so much, to say what they want, and only so many."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_HEADER_BYTES = 64 * 1024


class Crowd:
    """The connections of one port, no more than `most` of them: beyond, whoever has been silent
    for longest goes, and the latest when all have a request under way. For one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: set[BoundedConnection] = set()
        self._idle: dict[BoundedConnection, None] = {}

    def wait(self, connection: BoundedConnection) -> None:
        """No request of this connection is under way, from now on."""
        self._busy.discard(connection)
        self._idle[connection] = None
        if len(self._busy) + len(self._idle) > self._most:
            longest = next(iter(self._idle))
            del self._idle[longest]
            longest.transport.close()

    def work(self, connection: BoundedConnection) -> None:
        """A request is under way; the connection may have been told to go by now."""
        self._idle.pop(connection, None)
        self._busy.add(connection)

    def leave(self, connection: BoundedConnection) -> None:
        """The connection has ended."""
        self._idle.pop(connection, None)
        self._busy.discard(connection)


class BoundedConnection(HttpToolsProtocol):
    """Closes itself when a request does not begin, or its headers do not end, within `seconds`,
    and when they are more than 64 KiB.

    Between two requests nothing has to come; what does, be it the rest of a body that was refused,
    is given the same time. Until the headers of a request are there the connection may be closed
    for another one to come into the `crowd`.
    """

    def __init__(self, *args: Any, seconds: float, crowd: Crowd, **others: Any) -> None:
        super().__init__(*args, **others)
        self._seconds = seconds
        self._crowd = crowd
        self._header_bytes: int | None = None
        self._closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection begins, and a request is to come."""
        super().connection_made(transport)
        self._start_timer()
        self._crowd.wait(self)

    def data_received(self, data: bytes) -> None:
        """Part of a request, or several."""
        if self._closing is None and self.cycle.response_complete:
            self._start_timer()
        if self._header_bytes is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if (self._header_bytes or 0) > _MOST_HEADER_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        """The headers of a request begin."""
        super().on_message_begin()
        self._header_bytes = 0
        self._stop_timer()
        self._start_timer()

    def on_headers_complete(self) -> None:
        """The headers are there."""
        self._header_bytes = None
        self._stop_timer()
        self._crowd.work(self)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """A request is answered; those that came with it are next."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._crowd.wait(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ends."""
        self._stop_timer()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._closing = self.loop.call_later(self._seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

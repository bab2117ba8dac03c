"""Reads that an event loop waits for, and no thread.

A thread for a read costs several times the read: it has to be woken, and to wait for its turn to
run. So what is short and bounded is asked for here, over a few connections that are each used for
one command at a time. Whatever is not as usual (no connection, a failing server, a large answer)
ends in NotAtOnce: then a thread does it by the driver's own ways, with all that these do about
failures.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from itertools import count
from struct import Struct

import structlog
from bson import decode, encode
from bson.errors import InvalidBSON, InvalidDocument

from inventory_job.errors import NotAtOnce
from inventory_job.model.client import Database
from inventory_job.model.commands import RawDocument
from inventory_job.model.loans import Loan

_MOST_CHANNELS = 8
_OTHERS = 6
"""Connections for the change stream and threads, which need them before anything is done here."""
_LOOK_SECONDS = 0.25
_ABANDONED_SECONDS = 0.5
"""How long an answer that nobody wants may take until its connection is closed, which ends the
work for it in the database. Nearly all are there long before that."""
_LONGEST_SECONDS = 5.0
"""How long any answer may take: nothing may come on a connection ever again, and nobody be told."""
_LONGEST_REST_SECONDS = 30.0
"""Connections that nobody needs for longer are closed: firewalls forget them."""
_PAUSE_SECONDS = 1.0
"""After a connection could not be made."""
_LONG_PAUSE_SECONDS = 60.0
"""After that failed in an unknown way."""

_OP_MSG = 2013
_HEADER = Struct("<iiii")
"""Length of the message, its number, the number of what it answers, and its kind."""
_MESSAGE = Struct("<iiiiIB")
"""The same, no flags, and a section of one document (MongoDB's wire protocol, OP_MSG)."""
_BUFFER_BYTES = 32 * 1024
_MOST_COMMAND_BYTES = 16 * 1024
"""So much finds room in a socket's buffer at once."""
_MOST_BYTES = 1024 * 1024
"""Larger answers take so long to decode that others should not wait for it."""
_NONE: RawDocument = {"ok": 0, "errmsg": "not answered", "codeName": "NotAnswered"}
"""Stands for the answer where there is none."""
_TOO_SLOW = 50
"""MaxTimeMSExpired."""
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, InterruptedError)


class Channels:
    """At most `most` connections, used by one event loop alone. Nothing is opened before the first
    read; while there is no connection yet reads raise NotAtOnce."""

    def __init__(self, database: Database, most: int = _MOST_CHANNELS) -> None:
        self._database = database
        self._most = min(most, (database.most_connections - _OTHERS) // 2)
        self._codec_options = database.codec_options
        self._idle: list[_Channel] = []
        self._all: set[_Channel] = set()
        self._waiting: deque[asyncio.Future[_Channel]] = deque()
        self._opener: ThreadPoolExecutor | None = None
        self._is_opening = False
        self._may_open_from = -math.inf
        self._is_looking = False
        self._is_closed = False
        self._numbers = count(1)
        self._log = structlog.get_logger(__name__)

    async def read(self, command: RawDocument) -> RawDocument:
        """The answer to a command that reads and has a time limit (maxTimeMS), decoded.

        Raises NotAtOnce, also when the database refuses it. Cancelled, it ends the command.
        """
        channel = await self._free_channel()
        try:
            answer = await self._exchange(channel, command)
        except (InvalidBSON, InvalidDocument, OverflowError, UnicodeError) as error:
            raise NotAtOnce from error
        finally:
            channel.leave()
        if answer.get("ok") != 1:
            raise NotAtOnce
        return answer

    async def _exchange(self, channel: _Channel, command: RawDocument) -> RawDocument:
        channel.loan.prepare(command)
        number = next(self._numbers) & 0x7FFFFFFF
        document = encode(command, codec_options=self._codec_options)
        if len(document) > _MOST_COMMAND_BYTES:
            raise NotAtOnce
        head = _MESSAGE.pack(_MESSAGE.size + len(document), number, 0, _OP_MSG, 0, 0)
        telling = channel.loan.telling(command, number)
        answer: RawDocument = _NONE
        try:
            answer = decode(await channel.ask(head + document, number), self._codec_options)
        finally:
            if telling is not None:
                say = telling.succeeded if answer.get("ok") == 1 else telling.failed
                say(answer)
        if answer.get("ok") != 1 and answer.get("code") != _TOO_SLOW:
            # Of a user who may not, or a server that is none for this: the next is no better.
            channel.close()
        return answer

    def close(self) -> None:
        """Closes all connections; in the event loop."""
        self._is_closed = True
        for channel in [*self._all]:
            channel.close()
        if self._opener:
            self._opener.shutdown(wait=False)

    async def _free_channel(self) -> _Channel:
        """One that is in nobody's use, and in the caller's until it `leave`s it."""
        while True:
            channel = self._idle.pop() if self._idle else await self._next_free()
            if channel.loan.is_fit and not channel.is_closed:
                channel.enter()
                return channel
            channel.close()

    async def _next_free(self) -> _Channel:
        self._open_one()
        if not self._all:
            raise NotAtOnce
        waiter: asyncio.Future[_Channel] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self.freed(waiter.result())
            raise

    def freed(self, channel: _Channel) -> None:
        """A connection is free for the next command."""
        if channel.is_closed:
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(channel)
                return
        self._idle.append(channel)

    def closed(self, channel: _Channel) -> None:
        """A connection is closed."""
        self._all.discard(channel)
        if channel in self._idle:
            self._idle.remove(channel)
        if not self._all:
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_exception(NotAtOnce())
            self._waiting.clear()

    def _open_one(self) -> None:
        """Starts to open one connection more, if there may be one."""
        loop = asyncio.get_running_loop()
        if (
            self._is_opening
            or self._is_closed
            or len(self._all) >= self._most
            or loop.time() < self._may_open_from
            or not self._database.has_server()
        ):
            return
        if self._opener is None:
            self._opener = ThreadPoolExecutor(1, thread_name_prefix="channel")
        self._is_opening = True
        opening = loop.run_in_executor(self._opener, self._database.lend)
        # What is begun there goes on for longer than the call that happens to come first.
        opening.add_done_callback(self._opened, context=Context())

    def _opened(self, opening: asyncio.Future[Loan | None]) -> None:
        self._is_opening = False
        loop = asyncio.get_running_loop()
        try:
            loan = opening.result()
        except Exception as error:  # noqa: BLE001  with another driver than we know
            self._log.error("no connection for the event loop", error=repr(error))
            self._may_open_from = loop.time() + _LONG_PAUSE_SECONDS
            return
        if loan is None:
            self._may_open_from = loop.time() + _PAUSE_SECONDS
            return
        if self._is_closed or not loan.is_plain:
            loan.close()
            self._most = 0  # nor will the next one be
            return
        if not self._is_looking:
            self._is_looking = True
            loop.call_later(_LOOK_SECONDS, self._look)
        channel = _Channel(loan, self, loop)
        self._all.add(channel)
        self.freed(channel)

    def _look(self) -> None:
        """Closes the connections that are no good any more, those in use as well, and goes on."""
        loop = asyncio.get_running_loop()
        for channel in [*self._all]:
            if not channel.loan.is_fit or channel.is_overdue(loop.time()):
                channel.close()
        self._is_looking = bool(self._all)
        if self._is_looking:
            loop.call_later(_LOOK_SECONDS, self._look)


class _Channel:
    """One connection, its socket watched by the event loop.

    It is free, and known to be, when nobody has entered it and no answer is to come.
    """

    def __init__(self, loan: Loan, channels: Channels, loop: asyncio.AbstractEventLoop) -> None:
        self.loan = loan
        self.is_closed = False
        self._channels = channels
        self._loop = loop
        self._is_used = False
        self._answer: asyncio.Future[bytes] | None = None
        self._number = 0
        self._due = loop.time() + _LONGEST_REST_SECONDS
        self._standard = memoryview(bytearray(_BUFFER_BYTES))
        self._buffer = self._standard
        self._filled = 0
        self._descriptor = loan.socket.fileno()
        loop.add_reader(self._descriptor, self._read)

    def enter(self) -> None:
        """A call uses the connection from now on."""
        self._is_used = True

    def leave(self) -> None:
        """The call does not use it any more; it is free once nothing more is to come."""
        self._is_used = False
        if self._answer is None:
            self._rest()
        elif not self.is_closed:
            self._due = self._loop.time() + _ABANDONED_SECONDS

    def ask(self, message: bytes, number: int) -> asyncio.Future[bytes]:
        """Sends the message of that number; the document that answers it, or NotAtOnce."""
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if self.is_closed:
            answer.set_exception(NotAtOnce())
            return answer
        self._answer = answer
        self._number = number
        self._due = self._loop.time() + _LONGEST_SECONDS
        try:
            # Nothing else is on its way, so all of it finds room.
            if self.loan.socket.send(message) < len(message):
                raise BlockingIOError
        except OSError:
            self.close()
        return answer

    def is_overdue(self, now: float) -> bool:
        """Whether it has been of no use for too long."""
        return now > self._due

    def close(self) -> None:
        """Closes the connection, whatever goes on in it."""
        if self.is_closed:
            return
        self.is_closed = True
        self._loop.remove_reader(self._descriptor)
        self.loan.close()
        self._channels.closed(self)
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(NotAtOnce())

    def _rest(self) -> None:
        self._due = self._loop.time() + _LONGEST_REST_SECONDS
        self._channels.freed(self)

    def _read(self) -> None:
        """Takes what has come, as far as it has."""
        try:
            while True:
                received = self.loan.socket.recv_into(self._buffer[self._filled :])
                if received == 0 or self._answer is None:
                    self.close()
                    return
                self._filled += received
                if self._filled >= _HEADER.size and self._take():
                    return
        except _NOT_YET:
            return
        except OSError:
            self.close()

    def _take(self) -> bool:
        """Whether that is all for now: the message is complete, or the connection closed."""
        length, _, number, kind = _HEADER.unpack_from(self._buffer)
        if (
            number != self._number
            or kind != _OP_MSG
            or not _MESSAGE.size < length <= _MOST_BYTES
            or self._filled > length
        ):
            self.close()
            return True
        if self._filled < length:
            if length > len(self._buffer):
                larger = memoryview(bytearray(length))
                larger[: self._filled] = self._buffer[: self._filled]
                self._buffer = larger
            return False
        document = bytes(self._buffer[_MESSAGE.size : length])
        self._buffer, self._filled = self._standard, 0
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(document)
        if not self._is_used:
            self._rest()
        return True

"""How requests come in: not at leisure.

A call that waits for its message holds a place. So who does not send a message in time is cut off;
soon, when others need the place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from inventory_job.errors import InvalidRequest, Overloaded, invalid
from inventory_job.transport.grpc.status import EndStatus
from inventory_job.transport.lanes import Gate

_AT_A_TIME = 32
_LOOK_SECONDS = 0.1
_SHORT_SECONDS = 0.5
"""How long a message may take while others need the place."""


AioContext: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Space(Protocol):
    """Where calls have places."""

    @property
    def is_short(self) -> bool:
        """Whether others wait for a place, or may soon."""


class TooSlow(Exception):
    """The message has not come in time."""


TOO_SLOW = EndStatus(grpc.StatusCode.CANCELLED, "The request did not come in time.", ())
"""What such calls end with."""


def read(kind: Callable[[bytes], Any], content: bytes) -> Any:
    """What `kind` makes of a message as it came; raises InvalidRequest."""
    try:
        return kind(content)
    except DecodeError as error:
        reason = "its bytes are not a message of this method"
        raise InvalidRequest(invalid("request", reason)) from error


class Intake:
    """Takes in the messages of calls, each in at most `seconds`, and holds no more than
    `most_bytes` of them."""

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._held_bytes = 0
        # Of those that come in nobody knows how large they are.
        self._gate = Gate(_AT_A_TIME)
        # The standard library's timeouts cost as much as all else that is done here.
        self._waiting: dict[asyncio.Task[Any], tuple[float, Space]] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._cut_off: set[asyncio.Task[Any]] = set()
        self._is_looking = False
        self._is_ending = False

    async def message(self, context: AioContext, room: Space) -> bytes:
        """The message of a call that has a place in `room`, as it came, which has to be released;
        raises TooSlow, Overloaded, and InvalidRequest if there is none."""
        content = await self.next(context, room)
        if content is None:
            raise InvalidRequest(invalid("request", "there is none"))
        return content

    async def next(self, context: AioContext, room: Space) -> bytes | None:
        """As `message`, of a call with many; None when there are no more."""
        await self._gate.begin()
        try:
            message = await self._in_time(context, room)
        finally:
            self._gate.end()
        if message is grpc.aio.EOF:
            return None
        content: bytes = message
        if self._held_bytes + len(content) > self._most_bytes:
            raise Overloaded
        self._held_bytes += len(content)
        return content

    def end(self) -> None:
        """Nobody may take long any more: the server stops."""
        self._is_ending = True

    def release(self, content: bytes) -> None:
        """A message is not needed any more."""
        self._held_bytes -= len(content)

    async def _in_time(self, context: AioContext, room: Space) -> Any:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  this is a coroutine
        self._waiting[task] = loop.time(), room
        if not self._is_looking:
            self._is_looking = True
            loop.call_later(_LOOK_SECONDS, self._look, context=Context())
        try:
            return await context.read()
        except asyncio.CancelledError:
            if task not in self._cut_off or task.uncancel():
                raise
            raise TooSlow from None
        finally:
            del self._waiting[task]
            self._cut_off.discard(task)

    def _look(self) -> None:
        """Cuts off who has waited for too long, and goes on while somebody waits."""
        loop = asyncio.get_running_loop()
        late: set[asyncio.Task[Any]] = set()
        for task, (since, room) in self._waiting.items():
            is_needed = self._is_ending or room.is_short or self._gate.is_crowded
            longest = _SHORT_SECONDS if is_needed else self._seconds
            if loop.time() - since <= longest:
                continue
            late.add(task)
            # It is the loop that may be late, with the message there: so not at the first look.
            if task in self._late and task not in self._cut_off:
                self._cut_off.add(task)
                task.cancel()
        self._late = late
        self._is_looking = bool(self._waiting)
        if self._is_looking:
            loop.call_later(_LOOK_SECONDS, self._look, context=Context())

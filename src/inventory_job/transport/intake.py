"""How requests come in: the caller first, then the message, and not at leisure.

A thread that waits for a message is a thread less for others. So a call is looked at as soon as
its headers are there: who has no business here is refused before anything is read, and who does
not send a message in time is cut off; at once, when others wait for the thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from inventory_job.errors import InvalidRequest, invalid
from inventory_job.transport.handlers import Behavior, Deserializer, Handler, rewrapped
from inventory_job.transport.lanes import Lane, Lanes

_LOOK_SECONDS = 0.1
_SHORT_SECONDS = 0.2
"""How long a message may take while others wait for the thread."""


class SlowSenders:
    """Cuts off clients that take longer than `seconds` to send a message."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[grpc.ServicerContext, tuple[float, Lane]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="slow-senders", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stops to watch."""
        self._stopping.set()
        self._thread.join()

    def next_of(self, messages: Iterator[Any], context: grpc.ServicerContext, lane: Lane) -> Any:
        """The next message of a call in `lane`; raises StopIteration when there is none, and
        grpc.RpcError when the call is over."""
        self._waiting[context] = (time.monotonic(), lane)
        try:
            return next(messages)
        finally:
            del self._waiting[context]

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            now = time.monotonic()
            for context, (since, lane) in list(self._waiting.items()):
                if now - since > (_SHORT_SECONDS if lane.is_short else self._seconds):
                    context.cancel()


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """Stands for bytes that are not a message of their type."""


class Intake(grpc.ServerInterceptor):
    """Reads the messages of all calls, once `admit` has let them in.

    `admit` takes the full method name and the context, and raises what the call is to end with.
    Handlers of one message become handlers of a stream, whose first message is theirs: only those
    are called before there is a message.
    """

    def __init__(
        self,
        senders: SlowSenders,
        lanes: Lanes,
        admit: Callable[[str, grpc.ServicerContext], object],
    ) -> None:
        self._senders = senders
        self._lanes = lanes
        self._admit = admit

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        take = self._many if handler.request_streaming else self._one
        method = handler_call_details.method
        lane = self._lanes.of(method)

        def around(behavior: Behavior) -> Behavior:
            def answer(messages: Iterator[Any], context: grpc.ServicerContext, *send: Any) -> Any:
                self._admit(method, context)
                return behavior(take(messages, context, lane), context, *send)

            return answer

        return rewrapped(handler, around, reading=_reading, takes_stream=True)

    def _one(self, messages: Iterator[Any], context: grpc.ServicerContext, lane: Lane) -> Any:
        try:
            return _readable(self._senders.next_of(messages, context, lane))
        except StopIteration:
            raise InvalidRequest(invalid("request", "there is none")) from None

    def _many(
        self, messages: Iterator[Any], context: grpc.ServicerContext, lane: Lane
    ) -> Iterator[Any]:
        while True:
            try:
                yield _readable(self._senders.next_of(messages, context, lane))
            except StopIteration:
                return


def _reading(deserializer: Deserializer) -> Deserializer:
    def read(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError:
            return _Unreadable()

    return read


def _readable(message: Any) -> Any:
    if isinstance(message, _Unreadable):
        raise InvalidRequest(invalid("request", "its bytes are not a message of this method"))
    return message

"""Calls of the Job service that come over gRPC.

One event loop takes all calls in and sends all answers. It also does what is short and bounded
(`at_once`), since to hand a call to a thread and back takes longer than that; all else is done in
the threads of the lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from inventory_job.errors import NotAtOnce, Overloaded, TooLarge
from inventory_job.observability.call_log import Journal
from inventory_job.transport.call import CallContext
from inventory_job.transport.failures import failure_of
from inventory_job.transport.grpc.status import EndStatus, status_of
from inventory_job.transport.intake import TOO_SLOW, AioContext, Intake, TooSlow, read
from inventory_job.transport.lanes import Lane, Places
from inventory_job.transport.unsent import Unsent

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_SHORT_REQUEST_BYTES = 2048
"""Longer requests take so long to understand that others should not wait for it."""
_BUSY = status_of(Overloaded())
_STUCK = status_of(Overloaded(reason=Unsent.REASON))


class Identifies(Protocol):
    """What is needed of transport.admission.Admission."""

    def identify(self, method: str, context: CallContext, /) -> object: ...
    def recall(self, method: str, context: CallContext, /) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its short and its full name, its request, how it is answered in a thread, and
    how, if at all, in the event loop."""

    name: str
    path: str
    request_type: type[Message]
    answer: Callable[[Any, CallContext], Message]
    at_once: Callable[[Any, CallContext], Awaitable[Message]] | None


@dataclass(frozen=True, slots=True)
class Room:
    """Where calls have their places, those that take a thread and the others, and what their
    answers take until they are sent."""

    lane: Lane
    places: Places
    unsent: Unsent


class GrpcCalls:
    """Answers the calls of a service.

    `servicer` has a method for each of the service's, called in threads of the lane, and
    `at_once`, by name, coroutines that answer the same or raise NotAtOnce; calls of these have
    places, so that what takes long does not keep them out. `journal` is told of every call.
    `most_bytes` is the size of the largest response.
    """

    def __init__(  # noqa: PLR0913, PLR0917  its parts
        self,
        servicer: Any,
        admission: Identifies,
        room: Room,
        journal: Journal,
        intake: Intake,
        most_bytes: int,
    ) -> None:
        self._servicer = servicer
        self._admission = admission
        self._lane = room.lane
        self._places = room.places
        self._unsent = room.unsent
        self._journal = journal
        self._intake = intake
        self._most_bytes = most_bytes

    def handlers(self, service: ServiceDescriptor) -> dict[str, Handler]:
        """The handlers that gRPC takes, by the full names of methods.

        All take a stream, whose first message is the request: only those are called before there
        is a message, and who has no business here is refused before anything is read.
        """
        at_once: Mapping[str, Any] = self._servicer.at_once
        made: dict[str, Handler] = {}
        for described in service.methods:
            method = Method(
                described.name,
                f"/{service.full_name}/{described.name}",
                GetMessageClass(described.input_type),
                getattr(self._servicer, described.name),
                at_once.get(described.name),
            )
            made[method.path] = grpc.stream_unary_rpc_method_handler(
                partial(self._answered, method)
            )
        return made

    async def _answered(self, method: Method, _messages: object, context: AioContext) -> bytes:
        room = self._lane if method.at_once is None else self._places
        if room.is_full:
            # Not told of: what is turned away costs next to nothing.
            room.refuse()
            await context.abort_with_status(_BUSY)
        if self._unsent.waiting and self._unsent.is_crowded(context.peer()):
            self._unsent.refuse()
            await context.abort_with_status(_STUCK)
        metadata = metadata_of(context)
        call = CallContext(metadata, context.time_remaining())
        with self._journal.call(method.path, "grpc", metadata) as record:
            try:
                answer = await self._answer(method, room, context, call)
            except asyncio.CancelledError:
                record.code = "DEADLINE_EXCEEDED" if call.has_run_out else "CANCELLED"
                call.abandon()
                raise
            except TooSlow:
                record.code = "CANCELLED"
                status = TOO_SLOW
            except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer
                record.code, status = _ending(error, method)
            else:
                return answer
            finally:
                call.end()
        await context.abort_with_status(status)
        raise AssertionError  # the line before has raised

    async def _answer(
        self, method: Method, room: Lane | Places, context: AioContext, call: CallContext
    ) -> bytes:
        # Before anything is read: who waits holds no more than gRPC takes in by itself.
        if self._unsent.held and await self._unsent.room(context.peer()) and room.is_full:
            room.refuse()
            raise Overloaded
        room.enter()
        try:
            await self._identify(method, call)
            try:
                content = await self._intake.message(context, room)
            except Overloaded:
                room.refuse()
                raise
            call.add_callback(partial(self._intake.release, content))
            answer: bytes | None = await self._at_once(method, content, context, call)
        finally:
            room.leave()
        if answer is None:
            has_place = room is self._lane
            answer = await self._by_thread(method, content, context.peer(), call, has_place)
        if len(answer) > self._most_bytes:
            raise TooLarge("response", self._most_bytes)
        self._unsent.hold(context, len(answer))
        return answer

    async def _identify(self, method: Method, call: CallContext) -> None:
        """Raises what a call is to end with whose caller has no business here."""
        if self._admission.recall(method.name, call) is None:
            if method.at_once is not None and self._lane.is_full:
                self._lane.refuse()
                raise Overloaded
            await self._in_thread(partial(self._admission.identify, method.name, call))

    async def _at_once(
        self, method: Method, content: bytes, context: AioContext, call: CallContext
    ) -> bytes | None:
        """The answer, None where it needs a thread, or there is no room for it any more."""
        if method.at_once is None or len(content) > _SHORT_REQUEST_BYTES:
            return None
        await self._places.gate.begin()
        try:
            if self._unsent.held and self._unsent.is_full(context.peer()):
                return None
            message = await method.at_once(read(method.request_type.FromString, content), call)
        except NotAtOnce:
            return None
        finally:
            self._places.gate.end()
        return message.SerializeToString()

    async def _by_thread(
        self, method: Method, content: bytes, peer: str, call: CallContext, has_place: bool
    ) -> bytes:
        """The answer, made in a thread; unless the call `has_place` in the lane it needs one."""
        work = partial(self._work, method, content, peer, call)
        while True:
            if not has_place and self._lane.is_full:
                self._lane.refuse()
                raise Overloaded
            answer: bytes | None = await self._in_thread(work)
            if answer is not None:
                return answer
            if len(content) > _SHORT_REQUEST_BYTES:
                self._unsent.refuse()
                raise Overloaded(reason=Unsent.REASON)
            await self._unsent.room(peer)
            has_place = False

    def _work(self, method: Method, content: bytes, peer: str, call: CallContext) -> bytes | None:
        """The answer, in a thread; None if there is no room for it any more: calls that came
        together found, each of them, that there was."""
        if self._unsent.is_full(peer):
            return None
        return method.answer(
            read(method.request_type.FromString, content), call
        ).SerializeToString()

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        """What `work` gives in a thread of the lane. What it binds in its context is bound here as
        well, where the line in the log is written."""
        context = copy_context()
        working = self._lane.submit(context.run, work)
        try:
            return await asyncio.wrap_future(working)
        finally:
            if working.done():
                _adopt(context)


def metadata_of(context: AioContext) -> tuple[tuple[str, str | bytes], ...]:
    """The metadata of a call."""
    metadata: Any = context.invocation_metadata()
    pairs: tuple[tuple[str, str | bytes], ...] = metadata or ()
    return pairs


def _ending(error: Exception, method: Method) -> tuple[str, EndStatus]:
    """The code for the log, and what a call ends with that failed so.

    The failure is in no frame that it went through, so that these, and an answer in one of them,
    are freed with it.
    """
    failure = failure_of(error, method.path)
    return failure.kind.name, status_of(failure)


def _adopt(context: Context) -> None:
    variable: ContextVar[Any]
    for variable, value in context.items():
        if variable.get(None) is not value:
            variable.set(value)

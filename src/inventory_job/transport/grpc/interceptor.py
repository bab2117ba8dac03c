"""gRPC calls, from their headers to their responses.

`intercept_service` runs on the headers, before the request message is read: a call without a valid
caller ends there, its message unread. The rest happens once the message is read: only then does a
call take a permit, since only handlers learn when a call ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from inventory_job.auth.callers import Caller
from inventory_job.deadline import Deadline
from inventory_job.errors import InvalidRequest, ServiceError, invalid
from inventory_job.observability.call_log import CallLog, Metadata
from inventory_job.transport.dispatcher import Call, Dispatcher
from inventory_job.transport.failures import failure_of, rich_status
from inventory_job.wire.parse import bounded

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Unary: TypeAlias = Callable[[Any, Context], Awaitable[Any]]

_NEAR_SECONDS = 0.05
"""A cancellation within this time before the deadline is recorded as DEADLINE_EXCEEDED."""

_QUICK_BYTES = 1024 * 1024
"""A list of 1 000 jobs, 400 KiB of BSON, takes 8 ms to serialize, in a thread 12 ms."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Authenticates, limits, runs and records the calls of `service`; records the unary calls of
    all other services. A request of `service` has at most `most_values` values."""

    def __init__(
        self,
        service: ServiceDescriptor,
        most_values: int,
        dispatcher: Dispatcher,
        call_log: CallLog,
    ) -> None:
        self._deserializers = {
            f"/{service.full_name}/{method.name}": bounded(
                GetMessageClass(method.input_type), most_values
            )
            for method in service.methods
        }
        self._dispatcher = dispatcher
        self._call_log = call_log

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler of one call."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            return None
        metadata = tuple(handler_call_details.invocation_metadata)
        recorded = partial(self._recorded, method, metadata)
        if method not in self._deserializers:
            return _other(handler, recorded)
        try:
            caller = await self._dispatcher.identify(method, metadata)
        except Exception as error:  # noqa: BLE001  the client gets a status for any error
            # The call ends without its message being read.
            return grpc.stream_unary_rpc_method_handler(partial(recorded, partial(_refuse, error)))
        answer = partial(self._answer, method, caller, handler.unary_unary)
        # No (de)serializers: `_answer` parses the message itself, and reports one that is invalid.
        return grpc.unary_unary_rpc_method_handler(partial(recorded, answer))

    async def _answer(
        self, method: str, caller: Caller, behavior: Any, content: bytes, context: Context
    ) -> bytes:
        """Answers a call whose headers are accepted, once its message has arrived."""
        seconds: float | None = context.time_remaining()
        deadline = None if seconds is None else Deadline.after(seconds)
        size, peer = len(content), context.peer()
        call = Call(method, caller, _written, _QUICK_BYTES, peer, deadline, size)

        async def work() -> bytes:
            read = partial(_read, self._deserializers[method], content)
            answer: bytes = await behavior(await call.permit.work(size, read), call)
            return answer

        return await self._dispatcher.run(call, work, partial(_when_done, context))

    async def _recorded(
        self, method: str, metadata: Metadata, answering: Unary, request: Any, context: Context
    ) -> Any:
        """The response by `answering`, recorded in the call log; an error ends the call with its
        status."""
        with self._call_log.record(method, "grpc", metadata) as record:
            try:
                answer = await answering(request, context)
            except asyncio.CancelledError:
                seconds: float | None = context.time_remaining()
                is_late = seconds is not None and seconds < _NEAR_SECONDS
                record.code = "DEADLINE_EXCEEDED" if is_late else "CANCELLED"
                raise
            except Exception as error:  # noqa: BLE001  any error has a status
                status = status_of(failure_of(error, method))
                record.code = status[0].name
                # Its frames refer to the error: a reference cycle, which would keep the metadata
                # and the request in memory until the next garbage collection.
                error.__traceback__ = None
            else:
                code: grpc.StatusCode | None = context.code()
                record.code = code.name if code else "OK"
                return answer
        return await _abort(context, *status)


async def _refuse(error: Exception, _messages: object, _context: Context) -> NoReturn:
    raise error


def _other(handler: Handler, recorded: Callable[..., Awaitable[Any]]) -> Handler:
    """The handler of a method of another service. It parses messages itself: gRPC would log an
    invalid one as an error of the server."""
    given: Any = handler
    read = partial(_read, given.request_deserializer)

    async def answer(content: bytes, context: Context) -> Any:
        return await given.unary_unary(read(content), context)

    async def stream(sent: Any, context: Context) -> AsyncIterator[Any]:
        try:
            if given.unary_stream is not None:
                answers = given.unary_stream(read(sent), context)
            else:
                answers = given.stream_stream((read(each) async for each in sent), context)
            async for each in answers:
                yield each
        except InvalidRequest as error:
            status = status_of(error)
        else:
            return
        await _abort(context, *status)

    serializer = given.response_serializer
    if given.unary_unary is not None:
        unary = partial(recorded, answer)
        return grpc.unary_unary_rpc_method_handler(unary, response_serializer=serializer)
    if given.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(stream, response_serializer=serializer)
    return grpc.stream_stream_rpc_method_handler(stream, response_serializer=serializer)


def status_of(error: ServiceError) -> tuple[grpc.StatusCode, str, Metadata]:
    """What ends a gRPC call: code, details, and trailing metadata, which have `rich_status`."""
    status = rich_status(error)
    trailing: Metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    if error.retry_seconds is not None:
        # Clients with a retry policy obey this delay (gRFC A6).
        trailing += (("grpc-retry-pushback-ms", str(round(error.retry_seconds * 1000))),)
    return grpc.StatusCode[error.kind.value], status.message, trailing


def _read(deserializer: Callable[[bytes], Any], content: bytes) -> Any:
    try:
        return deserializer(content)
    except DecodeError as error:
        reason = "its bytes are not a message of this method"
        raise InvalidRequest(invalid("request", reason)) from error


def _written(answer: Message) -> bytes:
    return answer.SerializeToString()


def _when_done(context: Context, callback: Callable[[], object]) -> None:
    done: Any = lambda _: callback()  # noqa: E731  its declared type has two parameters
    context.add_done_callback(done)


async def _abort(
    context: Context, code: grpc.StatusCode, details: str, trailing_metadata: Metadata
) -> NoReturn:
    try:
        await context.abort(code, details, trailing_metadata)
    except grpc.aio.AbortError as error:
        # gRPC puts the error and the call in a reference cycle; the frames of its traceback would
        # keep the request in memory until the next garbage collection, maybe for a hundred calls.
        _when_done(context, partial(error.with_traceback, None))
        raise

"""The services beside that of jobs: quick, and telling about the server only, so everybody may
call them. They are answered in the event loop, and have neither places nor threads."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from inventory_job.errors import Overloaded, ServiceError
from inventory_job.observability.call_log import Journal
from inventory_job.stubs.spaceone.api.core.v1 import server_info_pb2, server_info_pb2_grpc
from inventory_job.transport.calls import Handler, metadata_of
from inventory_job.transport.grpc.status import status_of
from inventory_job.transport.intake import TOO_SLOW, AioContext, Intake, TooSlow, read

_STOPPING = grpc.StatusCode.UNAVAILABLE, "The server is stopping."


class ServerInfoServicer(server_info_pb2_grpc.ServerInfoServicer):
    """spaceone.api.core.v1.ServerInfo."""

    def __init__(self, version: str) -> None:
        self._version = version

    async def get_version(  # type: ignore[override]  # the stubs know of servers with threads only
        self, request: Empty, context: AioContext
    ) -> server_info_pb2.VersionInfo:
        """The version of the server."""
        return server_info_pb2.VersionInfo(version=self._version)


class Collected:
    """Takes what generated code adds to a server: the handlers of a service, by full name."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """As grpc.aio.Server; the same handlers come by the other way."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """As grpc.aio.Server. Methods that are not coroutines are those nobody has written."""
        for name, handler in handlers.items():
            behavior = _behavior_of(handler)
            if inspect.iscoroutinefunction(behavior) or inspect.isasyncgenfunction(behavior):
                self.handlers[f"/{service}/{name}"] = handler


class _Open:
    """The open calls of one kind, at most `most`; `many` are so many that slow ones have to go."""

    def __init__(self, most: int, many: int) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()
        self._most = most
        self._many = many

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another call."""
        return len(self.tasks) >= self._most

    @property
    def is_short(self) -> bool:
        """Whether others may need the room."""
        return len(self.tasks) > self._many


class SideCalls:
    """Has the calls taken in by `intake`, and knows those that are open, which a stop would wait
    for until its time is up. `journal` is told of those with one answer."""

    def __init__(self, journal: Journal, intake: Intake) -> None:
        self._journal = journal
        self._intake = intake
        self._singles = _Open(256, 32)
        self._streams = _Open(256, 256)
        self._is_closed = False

    def surrounded(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """The handlers of calls that are taken in, told of and known."""
        return {
            method: self._stream(handler)
            if handler.response_streaming
            else self._single(handler, method)
            for method, handler in handlers.items()
        }

    def close(self) -> None:
        """Ends the open calls."""
        self._is_closed = True
        for task in [*self._singles.tasks, *self._streams.tasks]:
            task.cancel()

    def _single(self, handler: Handler, method: str) -> Handler:
        behavior = _behavior_of(handler)

        async def respond(context: AioContext) -> Any:
            return await behavior(await self._request(handler, context, self._singles), context)

        async def answer(_messages: object, context: AioContext) -> Any:
            with self._journal.call(method, "grpc", metadata_of(context)) as record:
                record.code = grpc.StatusCode.CANCELLED.name
                try:
                    answered = await self._within(self._singles, context, respond)
                except grpc.aio.AbortError:
                    record.code = context.code().name
                    raise
                record.code = grpc.StatusCode.OK.name
                return answered

        return grpc.stream_unary_rpc_method_handler(
            answer, response_serializer=handler.response_serializer
        )

    def _stream(self, handler: Handler) -> Handler:
        behavior = _behavior_of(handler)

        async def respond(context: AioContext) -> None:
            if handler.request_streaming:
                async for message in behavior(self._requests(handler, context), context):
                    await context.write(message)
            else:
                await behavior(await self._request(handler, context, self._streams), context)

        async def answer(_messages: object, context: AioContext) -> None:
            await self._within(self._streams, context, respond)

        return grpc.stream_stream_rpc_method_handler(
            answer, response_serializer=handler.response_serializer
        )

    async def _within(
        self, open_: _Open, context: AioContext, respond: Callable[[AioContext], Awaitable[Any]]
    ) -> Any:
        await self._let_in(open_, context)
        task: Any = asyncio.current_task()
        open_.tasks.add(task)
        try:
            return await respond(context)
        except asyncio.CancelledError:
            if not self._is_closed:
                raise
            # Without a status the client would go on waiting, and the stop for the client.
            task.uncancel()
            await context.abort(*_STOPPING)
        except TooSlow:
            await context.abort_with_status(TOO_SLOW)
        except ServiceError as error:
            await context.abort_with_status(status_of(error))
        finally:
            open_.tasks.discard(task)

    async def _let_in(self, open_: _Open, context: AioContext) -> None:
        """Ends a call that there is no room for, or that comes too late."""
        if self._is_closed:
            await context.abort(*_STOPPING)
        if open_.is_full:
            await context.abort_with_status(status_of(Overloaded()))

    async def _request(self, handler: Handler, context: AioContext, open_: _Open) -> Any:
        return self._read(handler, await self._intake.message(context, open_))

    async def _requests(self, handler: Handler, context: AioContext) -> AsyncIterator[Any]:
        while (content := await self._intake.next(context, self._streams)) is not None:
            yield self._read(handler, content)

    def _read(self, handler: Handler, content: bytes) -> Any:
        self._intake.release(content)
        deserializer: Any = handler.request_deserializer
        return read(deserializer, content)


def _behavior_of(handler: Handler) -> Callable[..., Any]:
    behavior: Callable[..., Any] | None = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    if behavior is None:
        raise ValueError("the handler has no behaviour")
    return behavior

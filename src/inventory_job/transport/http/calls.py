"""Calls of the Job service that come as HTTP requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.message import Message
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from inventory_job.errors import RequestTimeout, ServiceError, Unavailable
from inventory_job.observability.call_log import CallLog, CallRecord
from inventory_job.transport.call import Call
from inventory_job.transport.dispatcher import Dispatcher
from inventory_job.transport.failures import failure_of
from inventory_job.transport.grpc.servicer import JobServicer
from inventory_job.transport.http.body import (
    BodyReader,
    accepts_gzip,
    compressed,
    decompressed,
    pieces_of,
)
from inventory_job.transport.http.context import deadline_of, metadata_of
from inventory_job.transport.http.messages import encoded, json_of, message_of
from inventory_job.transport.http.routes import Route
from inventory_job.transport.http.status import http_headers, http_status, status_json
from inventory_job.transport.limiter import LARGE_BYTES

_MOST_BODIES = 16
"""How many bodies of the largest size may be held together."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """`max_request_bytes`: the size of a request, before and after it is decompressed;
    `max_request_values`: its members and elements, all in all. `request_seconds`: how long a
    client may take to send one."""

    max_request_bytes: int
    max_request_values: int
    request_seconds: float


class JobCalls:
    """Reads requests, has them answered, and sends the answers."""

    def __init__(
        self,
        servicer: JobServicer,
        dispatcher: Dispatcher,
        call_log: CallLog,
        limits: CallLimits,
    ) -> None:
        self._servicer = servicer
        self._dispatcher = dispatcher
        self._call_log = call_log
        self._limits = limits
        self._bodies = BodyReader(
            limits.max_request_bytes,
            _MOST_BODIES * limits.max_request_bytes,
            limits.request_seconds,
        )

    def endpoint(self, route: Route) -> ASGIApp:
        """The application that answers a route."""
        return partial(self._serve, route)

    async def _serve(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with ExitStack() as sent:
            response = await self._respond(route, request, sent.callback)
            await response(scope, receive, send)

    async def _respond(
        self, route: Route, request: Request, when_sent: Callable[[Callable[[], None]], Any]
    ) -> Response:
        headers = request.headers
        metadata = metadata_of(headers)
        request_id = request.state.request_id
        with self._call_log.record(route.method, "http", metadata, request_id) as record:
            try:
                deadline = deadline_of(headers)
                caller = await self._dispatcher.identify(route.method, metadata)
                call = Call(route.method, metadata, caller, self._written, LARGE_BYTES)
                call.peer, call.deadline = _peer(request), deadline
                body = await self._bodies.read(request)
                when_sent(partial(self._bodies.release, body))
                async with _bounded_by(request, call):
                    content = await self._dispatcher.run(
                        call, partial(self._answer, route, call, body, headers), when_sent
                    )
                    smaller = await _compressed(content, headers, call)
            except ClientDisconnect:
                record.code = "CANCELLED"
                return Response(status_code=499)
            except asyncio.CancelledError:
                # The grace period of a stop is over.
                return _failure(route, Unavailable("the server is stopping"), record)
            except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer
                return _failure(route, error, record)
        return _json_response(content, smaller)

    async def _answer(self, route: Route, call: Call, body: bytes, headers: Headers) -> bytes:
        content = decompressed(body, headers, self._limits.max_request_bytes)
        read = partial(message_of, content, route.request_type, self._limits.max_request_values)
        call.request_bytes = len(content)
        message = await call.permit.work(len(content), read)
        answer: bytes = await getattr(self._servicer, route.name)(message, call)
        return answer

    def _written(self, answer: Message) -> bytes:
        self._dispatcher.check_size(answer.ByteSize())
        return json_of(answer)


@asynccontextmanager
async def _bounded_by(request: Request, call: Call) -> AsyncIterator[None]:
    """What is inside ends when the client goes (ClientDisconnect) or its deadline is over
    (RequestTimeout)."""
    seconds = None if call.deadline is None else call.deadline.seconds()
    watching: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(seconds) as scope:
            watching = asyncio.create_task(_end_with_client(request, scope))
            yield
    except TimeoutError:
        if watching is not None and watching.done():
            raise ClientDisconnect from None
        raise RequestTimeout from None
    finally:
        if watching is not None:
            watching.cancel()


async def _end_with_client(request: Request, scope: asyncio.Timeout) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.reschedule(asyncio.get_running_loop().time())


async def _compressed(content: bytes, headers: Headers, call: Call) -> bytes | None:
    if not accepts_gzip(headers):
        return None
    return await call.permit.work(len(content), partial(compressed, content))


def _peer(request: Request) -> str:
    client = request.client
    return f"{client.host}:{client.port}" if client else ""


def _failure(route: Route, error: Exception, record: CallRecord) -> Response:
    failure: ServiceError = failure_of(error, route.method)
    record.code = failure.kind.name
    return _json_response(
        encoded(status_json(failure)), None, http_status(failure), http_headers(failure)
    )


def _json_response(
    content: bytes, smaller: bytes | None, status: int = 200, others: dict[str, str] | None = None
) -> Response:
    headers = {
        **(others or {}),
        "content-type": "application/json",
        "cache-control": "no-store",
        "vary": "accept-encoding",
    }
    if smaller is not None:
        headers["content-encoding"] = "gzip"
    sent = smaller or content
    if len(sent) <= LARGE_BYTES:
        return Response(sent, status, headers)
    # In pieces, so that the call is held until the client has taken it.
    headers["content-length"] = str(len(sent))
    return StreamingResponse(pieces_of(sent), status, headers)

"""Calls of the Job service that come as HTTP requests, answered by the servicer itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from google.protobuf.message import Message
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from inventory_job.errors import ServiceError, TooLarge
from inventory_job.observability.call_log import Journal, Record
from inventory_job.transport.call import CallContext
from inventory_job.transport.failures import failure_of
from inventory_job.transport.http.body import Intake, accepts_gzip, compressed, decompressed
from inventory_job.transport.http.context import context_of
from inventory_job.transport.http.messages import encoded, json_of, message_of
from inventory_job.transport.http.routes import Route
from inventory_job.transport.http.status import http_headers, http_status, status_json


class Identifies(Protocol):
    """What is needed of transport.admission.Admission."""

    def identify(self, method: str, context: Any, /) -> object: ...


class Offers(Protocol):
    """What is needed of transport.lanes.Lane: threads, and no more calls than there is room for."""

    def offer(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]: ...


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Sizes in bytes: of a request, before and after it is decompressed, and of a response, as
    the gRPC port counts it. `request_seconds` is how long a client may take to send a request."""

    max_request_bytes: int
    max_response_bytes: int
    request_seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one route, its body read."""

    route: Route
    headers: Headers
    request_id: str
    context: CallContext
    body: bytes = b""


# As many bodies as this may be held at once, all of the largest size.
_MOST_BODIES = 16


class JobCalls:
    """Reads requests in the event loop, has them answered in threads of `lane`, and sends the
    answers. `journal` is told of every call."""

    def __init__(
        self,
        servicer: object,
        admission: Identifies,
        lane: Offers,
        journal: Journal,
        limits: CallLimits,
    ) -> None:
        self._servicer = servicer
        self._admission = admission
        self._lane = lane
        self._journal = journal
        self._limits = limits
        self._intake = Intake(
            limits.max_request_bytes,
            _MOST_BODIES * limits.max_request_bytes,
            limits.request_seconds,
        )

    def endpoint(self, route: Route) -> Callable[[Request], Any]:
        """The endpoint of a route."""

        async def answer(request: Request) -> Response:
            return await self._respond(route, request)

        return answer

    async def _respond(self, route: Route, request: Request) -> Response:
        headers, request_id = request.headers, request.state.request_id
        # Of this call alone, whichever threads it takes: its caller is identified once, and no log
        # entry has anything of another call.
        own = Context()
        own.run(structlog.contextvars.bind_contextvars, request_id=request_id)
        try:
            context = context_of(headers)
            # First, as on the gRPC port: nothing is held for a stranger.
            identified = self._lane.offer(own.run, self._admission.identify, route.name, context)
            await asyncio.wrap_future(identified)
            body = await self._intake.read(request)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer
            return self._refused(Call(route, headers, request_id, CallContext(())), error)
        call = Call(route, headers, request_id, context, body)
        try:
            working = self._lane.offer(own.run, self._work, call)
        except ServiceError as error:
            self._intake.release(body)
            return self._refused(call, error)
        gone = asyncio.create_task(_ended_by_client(request, context))
        try:
            return await asyncio.wrap_future(working)
        finally:
            gone.cancel()
            context.end()
            self._intake.release(body)

    def _work(self, call: Call) -> Response:
        """The answer to a call; in a thread."""
        with self._told(call) as record:
            try:
                content = self._answer(call)
            except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer
                response = _failure(call, error, record)
            else:
                response = _json_response(content, 200, {}, call.headers)
            if call.context.is_abandoned:
                record.code = "CANCELLED"
        return response

    def _answer(self, call: Call) -> bytes:
        name, limits = call.route.name, self._limits
        content = decompressed(call.body, call.headers, limits.max_request_bytes)
        message = message_of(content, call.route.request_type)
        answer: Message = getattr(self._servicer, name)(message, call.context)
        if answer.ByteSize() > limits.max_response_bytes:
            raise TooLarge("response", limits.max_response_bytes)
        return json_of(answer)

    def _refused(self, call: Call, error: Exception) -> Response:
        with self._told(call) as record:
            return _failure(call, error, record)

    @contextmanager
    def _told(self, call: Call) -> Iterator[Record]:
        metadata = call.context.invocation_metadata()
        with self._journal.call(call.route.method, "http", metadata) as record:
            structlog.contextvars.bind_contextvars(request_id=call.request_id)
            yield record


def _failure(call: Call, error: Exception, record: Record) -> Response:
    failure = failure_of(error, call.route.method)
    record.code = failure.kind.name
    return _json_response(
        encoded(status_json(failure)), http_status(failure), http_headers(failure), call.headers
    )


async def _ended_by_client(request: Request, context: CallContext) -> None:
    """Ends the call when its client goes."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    context.abandon()


def _json_response(
    content: bytes, status: int, headers: dict[str, str], request_headers: Headers
) -> Response:
    headers |= {
        "content-type": "application/json",
        "cache-control": "no-store",
        "vary": "accept-encoding",
    }
    smaller = compressed(content) if accepts_gzip(request_headers) else None
    if smaller is not None:
        headers["content-encoding"] = "gzip"
    return Response(smaller or content, status, headers)

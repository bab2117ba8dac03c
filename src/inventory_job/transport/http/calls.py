"""Calls of the Job service over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from inventory_job.errors import RequestTimeout, ServiceError, Unavailable
from inventory_job.observability.call_log import CallLog, Metadata
from inventory_job.transport.dispatcher import Call, Dispatcher
from inventory_job.transport.failures import failure_of
from inventory_job.transport.http.body import BodyReader, accepts_gzip, compressed, content_response
from inventory_job.transport.http.context import deadline_of, metadata_of
from inventory_job.transport.http.messages import json_of, message_of
from inventory_job.transport.http.status import failure_response
from inventory_job.transport.limiter import LARGE_BYTES
from inventory_job.transport.servicer import JobServicer

_HEADERS = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "vary": "accept-encoding",
}


class JobCalls:
    """Reads HTTP requests, of at most `most_values` values, runs them as calls, and responds."""

    def __init__(
        self,
        servicer: JobServicer,
        dispatcher: Dispatcher,
        call_log: CallLog,
        bodies: BodyReader,
        most_values: int,
    ) -> None:
        self._servicer = servicer
        self._dispatcher = dispatcher
        self._call_log = call_log
        self._bodies = bodies
        self._most_values = most_values

    async def respond(self, method: MethodDescriptor, request: Request) -> Response:
        """The response to a call of `method`; the call ends once the response is sent."""
        name = f"/{method.containing_service.full_name}/{method.name}"
        metadata = metadata_of(request.headers)
        request_id = request.state.request_id
        with self._call_log.record(name, "http", metadata, request_id) as record:
            try:
                return await self._answer(name, method.input_type, metadata, request)
            except ClientDisconnect:
                record.code = "CANCELLED"
                return Response(status_code=499)
            except asyncio.CancelledError:
                # uvicorn cancels what still runs when its grace period for shutdown is over.
                failure: ServiceError = Unavailable("the server is stopping")
            except Exception as error:  # noqa: BLE001  the client gets a response for any error
                failure = failure_of(error, name)
            record.code = failure.kind.name
            return failure_response(failure)

    async def _answer(
        self, method: str, kind: Descriptor, metadata: Metadata, request: Request
    ) -> Response:
        headers = request.headers
        deadline = deadline_of(headers)
        caller = await self._dispatcher.identify(method, metadata)
        peer = ":".join(map(str, request.client or ()))
        call = Call(method, caller, self._written, LARGE_BYTES, peer, deadline)
        body = await self._bodies.read(request)

        async def work() -> bytes:
            content = self._bodies.decompressed(body, headers)
            read = partial(message_of, content, GetMessageClass(kind), self._most_values)
            call.request_bytes = len(content)
            message = await call.permit.work(len(content), read)
            answer: bytes = await getattr(self._servicer, call.name)(message, call)
            return answer

        async with _bounded_by(request, call):
            content = await self._dispatcher.run(call, work, request.state.sent.callback)
            smaller = None
            if accepts_gzip(headers):
                smaller = await call.permit.work(len(content), partial(compressed, content))
        return content_response(content, smaller, _HEADERS)

    def _written(self, answer: Message) -> bytes:
        self._dispatcher.check_size(answer.ByteSize())
        return json_of(answer)


@asynccontextmanager
async def _bounded_by(request: Request, call: Call) -> AsyncIterator[None]:
    """Cancels its block when the client disconnects (raises ClientDisconnect) or when the deadline
    of the call expires (raises RequestTimeout)."""
    scope = asyncio.timeout(None if call.deadline is None else call.deadline.seconds())
    watching = asyncio.create_task(_end_with_client(request, scope))
    try:
        async with scope:
            yield
    except TimeoutError:
        if watching.done():
            raise ClientDisconnect from None
        raise RequestTimeout from None
    finally:
        watching.cancel()


async def _end_with_client(request: Request, scope: asyncio.Timeout) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.reschedule(asyncio.get_running_loop().time())

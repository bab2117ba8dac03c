"""What surrounds every call, outermost first.

1. `Dispatch`: picks the threads that answer, and turns away calls for whom there is no room.
   Outermost, so that what is turned away costs next to nothing.
2. `CallJournal`: what is told of calls. Outside all that can end one, so that it sees how it did.
3. `Errors`: exceptions → statuses. Inside the journal, which wants the status; outside whatever
   raises them. It alone aborts calls.
4. `streams.OpenStreams`: knows the calls with many answers. Its refusals are errors like others.
5. `intake.Intake`: who calls, and then what. Innermost: nothing else waits for a message.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from inventory_job.errors import Overloaded
from inventory_job.transport.failures import failure_of
from inventory_job.transport.handlers import Behavior, Handler, behavior_of, rewrapped
from inventory_job.transport.journal import Journal
from inventory_job.transport.lanes import Lanes
from inventory_job.transport.status import status_of


class Dispatch(grpc.ServerInterceptor):
    """Has calls answered in their lane, or refused when that is full.

    Handlers are kept: no inner interceptor may make them depend on more than the method.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._handlers: dict[str, Handler] = {}
        self._refusal: Handler = grpc.stream_unary_rpc_method_handler(self._refusing())

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method = handler_call_details.method
        lane = self._lanes.of(method)
        if lane.is_full:
            lane.refuse()
            return self._refusal
        handler = self._handlers.get(method)
        if handler is None:
            handler = continuation(handler_call_details)
            if handler is not None:
                _answer_in(lane, behavior_of(handler))
                self._handlers[method] = handler
        return handler

    def _refusing(self) -> Behavior:
        status = status_of(Overloaded())

        def refuse(messages: Any, context: grpc.ServicerContext) -> Any:
            return context.abort_with_status(status)

        _answer_in(self._lanes.refusals, refuse)
        return refuse


def _answer_in(lane: ThreadPoolExecutor, behavior: Behavior) -> None:
    behavior.experimental_thread_pool = lane  # type: ignore[attr-defined]  # where grpc looks


class CallJournal(grpc.ServerInterceptor):
    """Has every call with one answer told of."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = continuation(handler_call_details)
        if handler is None or handler.response_streaming:
            return handler
        return rewrapped(handler, lambda inner: self._around(inner, handler_call_details.method))

    def _around(self, behavior: Behavior, method: str) -> Behavior:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            with self._journal.call(method, "grpc", context.invocation_metadata()) as record:
                try:
                    return behavior(request, context)
                finally:
                    code = context.code() or grpc.StatusCode.OK  # type: ignore[attr-defined]
                    record.code = code.name

        return answer


class Errors(grpc.ServerInterceptor):
    """Ends failed calls with the status of their error; what is not ours is a bug and logged."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        return rewrapped(handler, lambda inner: self.around(inner, handler_call_details.method))

    def around(self, behavior: Behavior, method: str) -> Behavior:
        """`behavior` of the full `method` name, with its failures answered."""

        def answer(request: Any, context: grpc.ServicerContext, *send: Any) -> Any:
            try:
                return behavior(request, context, *send)
            except grpc.RpcError:
                raise  # the call is over already
            except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer
                failure = failure_of(error, method)
            return context.abort_with_status(status_of(failure))

        return answer

"""What surrounds every call, outermost first.

1. `Dispatch`: picks the threads that answer, and turns away calls for whom there is no room.
   Outermost, so that what is turned away costs next to nothing.
2. `CallLog`: one line per call. Outside all that can end a call, so that it sees how it did.
3. `Errors`: exceptions → statuses. Inside the log, which wants the status; outside whatever
   raises them. It alone aborts calls.
4. `streams.OpenStreams`: knows the calls with many answers. Its refusals are errors like others.
5. `intake.Intake`: who calls, and then what. Innermost: nothing else waits for a message.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import structlog

from inventory_job.errors import Overloaded, ServiceError, Unexpected
from inventory_job.transport.handlers import Behavior, Handler, behavior_of, rewrapped
from inventory_job.transport.lanes import Lane, Lanes
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
            lane.refused += 1
            return self._refusal
        handler = self._handlers.get(method)
        if handler is None:
            handler = continuation(handler_call_details)
            if handler is not None:
                _answer_in(lane, behavior_of(handler))
                self._handlers[method] = handler
        return handler

    def _refusing(self) -> Behavior:
        def refuse(messages: Any, context: grpc.ServicerContext) -> Any:
            return context.abort_with_status(status_of(Overloaded()))

        _answer_in(self._lanes.refusals, refuse)
        return refuse


def _answer_in(lane: Lane, behavior: Behavior) -> None:
    behavior.experimental_thread_pool = lane  # type: ignore[attr-defined]  # where grpc looks


class CallLog(grpc.ServerInterceptor):
    """One line per call with one answer: method, status, milliseconds, and what was bound to it."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._log = structlog.get_logger(__name__)
        self._clock = clock

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
            structlog.contextvars.clear_contextvars()
            started = self._clock()
            try:
                return behavior(request, context)
            finally:
                code = context.code()  # type: ignore[attr-defined]  # there, but not declared
                self._log.info(
                    "call",
                    method=method,
                    status=(code or grpc.StatusCode.OK).name,
                    milliseconds=round((self._clock() - started) * 1000, 1),
                )

        return answer


class Errors(grpc.ServerInterceptor):
    """Ends failed calls with the status of their error; what is not ours is a bug and logged."""

    def __init__(self) -> None:
        self._log = structlog.get_logger(__name__)

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
            failure: ServiceError
            try:
                return behavior(request, context, *send)
            except grpc.RpcError:
                raise  # the call is over already
            except ServiceError as error:
                failure = error
            except Exception:  # noqa: BLE001  whatever it is, the caller gets an answer
                reference = uuid.uuid4().hex[:12]
                self._log.exception("unexpected error", method=method, reference=reference)
                failure = Unexpected(reference)
            if failure.__cause__ is not None:
                self._log.info(
                    "cause", method=method, code=failure.code, cause=_shown(failure.__cause__)
                )
            return context.abort_with_status(status_of(failure))

        return answer


def _shown(cause: BaseException) -> str:
    """What the log may say of a cause: of others than the driver's, which hold no secrets, only
    the kind. A UnicodeDecodeError, say, holds all that could not be decoded: a token."""
    kind = type(cause)
    from_driver = kind.__module__.partition(".")[0] in {"pymongo", "bson"}
    return repr(cause) if from_driver else kind.__name__

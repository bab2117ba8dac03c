"""What surrounds every unary call, outermost first.

1. `CallLog`: one line per call. Outermost, so that it sees how every call ended.
2. `Errors`: exceptions → statuses. Inside the log, which wants the status; outside the servicer,
   whose errors it answers. It alone aborts calls, and it answers requests that cannot be read.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from inventory_job.errors import InvalidRequest, ServiceError, Unexpected, invalid
from inventory_job.transport.status import status_of

Deserializer = Callable[[bytes], Any]
Behavior = Callable[[Any, grpc.ServicerContext], Any]
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a request whose bytes are not a message of its type."""


class UnaryInterceptor(grpc.ServerInterceptor):
    """Base of interceptors around unary calls; others pass untouched."""

    def around(self, behavior: Behavior, method: str) -> Behavior:
        """The behaviour to run in the place of `behavior` for the full `method` name."""
        raise NotImplementedError

    def reading(self, deserializer: Deserializer | None) -> Deserializer | None:
        """The deserializer to use in the place of `deserializer`."""
        return deserializer

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = continuation(handler_call_details)
        if handler is None or not handler.unary_unary:
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self.around(handler.unary_unary, handler_call_details.method),
            request_deserializer=self.reading(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )


class Errors(UnaryInterceptor):
    """Ends failed calls with the status of their error; what is not ours is a bug and logged."""

    def __init__(self) -> None:
        self._log = structlog.get_logger(__name__)

    def around(self, behavior: Behavior, method: str) -> Behavior:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            failure: ServiceError
            try:
                return behavior(_readable(request), context)
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

    def reading(self, deserializer: Deserializer | None) -> Deserializer | None:
        if deserializer is None:
            return None

        def read(data: bytes) -> Any:
            try:
                return deserializer(data)
            except DecodeError:
                return Unreadable()

        return read


def _shown(cause: BaseException) -> str:
    """What the log may say of a cause: of others than the driver's, which hold no secrets, only
    the kind. A UnicodeDecodeError, say, holds all that could not be decoded: a token."""
    kind = type(cause)
    from_driver = kind.__module__.partition(".")[0] in {"pymongo", "bson"}
    return repr(cause) if from_driver else kind.__name__


def _readable(request: Any) -> Any:
    if isinstance(request, Unreadable):
        raise InvalidRequest(invalid("request", "its bytes are not a message of this method"))
    return request


class CallLog(UnaryInterceptor):
    """One line per call: method, status, milliseconds, and what the servicer bound to it."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._log = structlog.get_logger(__name__)
        self._clock = clock

    def around(self, behavior: Behavior, method: str) -> Behavior:
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

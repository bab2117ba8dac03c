"""Calls with many answers, which may stay open for as long as the client likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from inventory_job.errors import Overloaded
from inventory_job.transport.handlers import Behavior, Handler, rewrapped


class OpenStreams(grpc.ServerInterceptor):
    """Knows the open streams, at most `most`: a stop would wait for them until its time is up."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[grpc.ServicerContext] = set()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler
        return rewrapped(handler, self._around)

    def close(self) -> None:
        """Ends the open streams."""
        for context in list(self._open):
            context.cancel()

    def _around(self, behavior: Behavior) -> Behavior:
        def answer(request: Any, context: grpc.ServicerContext, *send: Any) -> Any:
            if len(self._open) >= self._most:
                raise Overloaded
            self._open.add(context)
            if not context.add_callback(lambda: self._open.discard(context)):
                self._open.discard(context)
            return behavior(request, context, *send)

        return answer

"""gRPC method handlers with something around their behaviour.

A handler is one of four kinds, by whether requests and responses are streams. What surrounds a
behaviour seldom cares: it takes the request (or the iterator of requests), the context and, when
responses are sent by a callback, that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

Behavior: TypeAlias = Callable[..., Any]
Deserializer: TypeAlias = Callable[[bytes], Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

# What grpc looks for on a behaviour: whether it answers through a callback.
_ATTRIBUTE = "experimental_non_blocking"
_FACTORIES: dict[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def rewrapped(
    handler: Handler,
    around: Callable[[Behavior], Behavior],
    *,
    reading: Callable[[Deserializer], Deserializer] = lambda same: same,
    takes_stream: bool | None = None,
) -> Handler:
    """`handler` with `around` its behaviour and `reading` around its deserializer.

    `takes_stream` says whether the new behaviour takes an iterator of requests; default: as the
    old one.
    """
    original = behavior_of(handler)
    behavior = around(original)
    if getattr(original, _ATTRIBUTE, False):
        setattr(behavior, _ATTRIBUTE, True)
    requests = handler.request_streaming if takes_stream is None else takes_stream
    deserializer = handler.request_deserializer
    return _FACTORIES[requests, handler.response_streaming](
        behavior,
        request_deserializer=reading(deserializer) if deserializer else None,
        response_serializer=handler.response_serializer,
    )


def behavior_of(handler: Handler) -> Behavior:
    """The one behaviour that a handler has."""
    behavior: Behavior | None = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    if behavior is None:
        raise ValueError("the handler has no behaviour")
    return behavior

"""What a servicer is told of an HTTP request: the part of a gRPC context that it needs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from starlette.datastructures import Headers

from inventory_job.errors import InvalidRequest, invalid

_METADATA = {
    "token": "token",
    "x-domain-id": "x_domain_id",
    "x_domain_id": "x_domain_id",
    "x-workspace-id": "x_workspace_id",
    "x_workspace_id": "x_workspace_id",
    "traceparent": "traceparent",
    "tracestate": "tracestate",
}
"""Headers that are call metadata, by their names there."""

_GRPC_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_PLAIN_TIMEOUT = re.compile(r"[0-9]{1,8}(\.[0-9]{1,9})?")


class HttpContext:
    """One call: its metadata, its deadline, and who wants to know when it is over.

    `end` may be called from any thread, and more than once.
    """

    def __init__(self, metadata: Iterable[tuple[str, str]], seconds: float | None = None) -> None:
        self._metadata = tuple(metadata)
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._is_over = False
        self.is_abandoned = False
        """Whether the client went before the end."""

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """The metadata, keys in lower case."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self._ends is None else max(self._ends - time.monotonic(), 0.0)

    def add_callback(self, callback: Callable[[], None], /) -> bool:
        """Has `callback` called at the end; False when the call is over already."""
        with self._lock:
            if self._is_over:
                return False
            self._callbacks.append(callback)
            return True

    def abandon(self) -> None:
        """The client has gone: nobody waits for the answer."""
        self.is_abandoned = True
        self.end()

    def end(self) -> None:
        """The call is over, however it ended: tells those who wanted to know."""
        with self._lock:
            self._is_over = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


def context_of(headers: Headers) -> HttpContext:
    """The context of a request with these headers; raises InvalidRequest for a bad timeout."""
    return HttpContext(_metadata(headers), _timeout(headers))


def _metadata(headers: Headers) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if name == "authorization":
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer":
                yield "token", token.strip()
        elif name in _METADATA:
            yield _METADATA[name], value


def _timeout(headers: Headers) -> float | None:
    """The least of the timeouts in `grpc-timeout` and `x-request-timeout`, in seconds."""
    seconds = [
        *(_grpc_seconds(value) for value in headers.getlist("grpc-timeout")),
        *(_plain_seconds(value) for value in headers.getlist("x-request-timeout")),
    ]
    return min(seconds, default=None)


def _grpc_seconds(text: str) -> float:
    matched = _GRPC_TIMEOUT.fullmatch(text)
    if not matched:
        raise InvalidRequest(
            invalid("grpc-timeout", "it must be up to 8 digits and one of H, M, S, m, u, n")
        )
    return int(matched[1]) * _SECONDS[matched[2]]


def _plain_seconds(text: str) -> float:
    seconds = float(text) if _PLAIN_TIMEOUT.fullmatch(text) else 0.0
    if not seconds:
        raise InvalidRequest(invalid("x-request-timeout", "it must be seconds, more than 0"))
    return seconds

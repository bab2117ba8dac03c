"""HTTP headers → what a call carries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starlette.datastructures import Headers

from inventory_job.deadline import Deadline
from inventory_job.errors import InvalidRequest, invalid
from inventory_job.transport.call import Metadata

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


def metadata_of(headers: Headers) -> Metadata:
    """The call metadata in the headers of a request."""
    return tuple(_metadata(headers))


def deadline_of(headers: Headers) -> Deadline | None:
    """The deadline in the headers of a request, None without one; raises InvalidRequest."""
    seconds = _timeout(headers)
    return None if seconds is None else Deadline.after(seconds)


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

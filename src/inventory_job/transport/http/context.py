"""HTTP headers → the metadata and deadline of a call."""

from __future__ import annotations

import re

from starlette.datastructures import Headers

from inventory_job.deadline import Deadline
from inventory_job.errors import InvalidRequest, invalid
from inventory_job.observability.call_log import Metadata

METADATA = frozenset({"token", "x_domain_id", "x_workspace_id", "traceparent", "tracestate"})
"""The keys of call metadata taken from headers, in which hyphens may replace the underscores."""

_GRPC_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_PLAIN_TIMEOUT = re.compile(r"[0-9]{1,8}(\.[0-9]{1,9})?")


def metadata_of(headers: Headers) -> Metadata:
    """The call metadata in the headers of a request."""
    metadata = []
    for name, value in headers.items():
        key = name.replace("-", "_")
        if name == "authorization":
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer":
                metadata.append(("token", token.strip()))
        elif key in METADATA:
            metadata.append((key, value))
    return tuple(metadata)


def deadline_of(headers: Headers) -> Deadline | None:
    """The earliest deadline that the headers `grpc-timeout` and `x-request-timeout` set; None if
    there are none. Raises InvalidRequest."""
    seconds = [
        *(_grpc_seconds(value) for value in headers.getlist("grpc-timeout")),
        *(_plain_seconds(value) for value in headers.getlist("x-request-timeout")),
    ]
    return Deadline.after(min(seconds)) if seconds else None


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

"""Our errors → gRPC statuses: one total table, and the details a program can read.

The details text is `CODE: message`, which existing clients split at the first colon; beside it
goes a google.rpc.Status with a google.rpc.BadRequest (spec/interface.md, "Errors"; AIP-193).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from urllib.parse import quote

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from inventory_job.errors import Kind, Problem, ServiceError

STATUS_CODES: Mapping[Kind, grpc.StatusCode] = MappingProxyType(
    {
        Kind.INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT,
        Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
        Kind.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
        Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        Kind.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
        Kind.INTERNAL: grpc.StatusCode.INTERNAL,
    }
)
"""The status of every kind of failure."""

# Trailers larger than about 8 kB never reach a client. Text counts percent-encoded.
_MOST_MESSAGE_BYTES = 1024
_MOST_DETAIL_BYTES = 2048


def status_of(error: ServiceError) -> grpc.Status:
    """The status to end a call with: code, details text, and BadRequest details if any."""
    code = STATUS_CODES[error.kind]
    status = status_pb2.Status(code=code.value[0], message=fitted(str(error)))
    bad_request = _bad_request(error.problems)
    if bad_request.field_violations:
        status.details.add().Pack(bad_request)
    converted: grpc.Status = rpc_status.to_status(status)
    return converted


def fitted(message: str, limit: int = _MOST_MESSAGE_BYTES) -> str:
    """`message`, cut with an ellipsis where its percent-encoded form passes `limit` bytes."""
    if len(quote(message)) <= limit:
        return message
    size = len(quote("…"))
    for index, character in enumerate(message):
        size += len(quote(character))
        if size > limit:
            return message[:index] + "…"
    return message


def _bad_request(problems: Iterable[Problem]) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for problem in problems:
        bad_request.field_violations.add(
            field=fitted(problem.path, 256),
            description=fitted(f"{problem.code}: {problem.message}", 512),
        )
        if bad_request.ByteSize() > _MOST_DETAIL_BYTES:
            del bad_request.field_violations[-1]
            break
    return bad_request

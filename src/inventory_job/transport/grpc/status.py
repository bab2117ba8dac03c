"""ServiceErrors → gRPC statuses: the code of every kind, and machine-readable details.

The status message is `CODE: message`, which existing clients split at the first colon. Trailing
metadata has a google.rpc.Status, maybe with a google.rpc.BadRequest (docs/errors.md; AIP-193).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

import grpc
from google.rpc import error_details_pb2, status_pb2

from inventory_job.errors import Kind, Overloaded, Problem, ServiceError

STATUS_CODES = {kind: grpc.StatusCode[kind.value] for kind in Kind}
"""The status code of every kind of error."""

# Trailers above about 8 kB never reach a client. Status messages are sent percent-encoded.
_MOST_MESSAGE_BYTES = 1024
_MOST_DETAIL_BYTES = 2048


@dataclass(frozen=True, slots=True)
class EndStatus(grpc.Status):
    """The status that ends a gRPC call."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def status_of(error: ServiceError) -> EndStatus:
    """The status to end a gRPC call with; its trailing metadata has `rich_status`."""
    status = rich_status(error)
    trailing: list[tuple[str, str | bytes]] = [
        ("grpc-status-details-bin", status.SerializeToString())
    ]
    if isinstance(error, Overloaded):
        # Clients with a retry policy obey this delay (gRFC A6).
        trailing.append(("grpc-retry-pushback-ms", str(round(error.retry_seconds * 1000))))
    return EndStatus(STATUS_CODES[error.kind], status.message, tuple(trailing))


def rich_status(error: ServiceError) -> status_pb2.Status:
    """google.rpc.Status: code, message, and BadRequest or RetryInfo details where they apply."""
    code: int = STATUS_CODES[error.kind].value[0]
    status = status_pb2.Status(code=code, message=fitted(str(error)))
    bad_request = _bad_request(error.problems)
    if bad_request.field_violations:
        status.details.add().Pack(bad_request)
    if isinstance(error, Overloaded):
        delay = timedelta(seconds=error.retry_seconds)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


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

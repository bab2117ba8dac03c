"""A failure as google.rpc.Status, which both ports send: a sentence, and details for programs.

Its message is `CODE: message`, which existing clients split at the first colon; its details may be
a google.rpc.BadRequest or a google.rpc.RetryInfo (docs/errors.md; AIP-193).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import quote

from google.rpc import code_pb2, error_details_pb2, status_pb2

from inventory_job.errors import Problem, ServiceError

# Trailers above about 8 kB never reach a gRPC client. There, messages are percent-encoded.
_MOST_MESSAGE_BYTES = 1024
_MOST_DETAIL_BYTES = 2048


def rich_status(error: ServiceError) -> status_pb2.Status:
    """google.rpc.Status: code, message, and BadRequest or RetryInfo details where they apply."""
    code = code_pb2.Code.Value(error.kind.value)
    status = status_pb2.Status(code=code, message=fitted(str(error)))
    bad_request = _bad_request(error.problems)
    if bad_request.field_violations:
        status.details.add().Pack(bad_request)
    if error.retry_seconds is not None:
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

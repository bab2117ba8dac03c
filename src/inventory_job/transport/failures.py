"""Failures of calls: the error that the client gets, its cause in the log, and the error as
google.rpc.Status, which both ports send: a sentence, and details for programs.

The message of a status is `CODE: message`, which existing clients split at the first colon; its
details may be a google.rpc.BadRequest or a google.rpc.RetryInfo (docs/errors.md; AIP-193).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import quote

import structlog
from google.rpc import code_pb2, error_details_pb2, status_pb2

from inventory_job.errors import Kind, Misconfigured, Problem, ServiceError, Unexpected
from inventory_job.model.driver_errors import without_quotations

# Trailers above about 8 kB never reach a gRPC client. There, messages are percent-encoded.
_MOST_MESSAGE_BYTES = 1024
_MOST_DETAIL_BYTES = 2048


def failure_of(error: Exception, method: str) -> ServiceError:
    """The ServiceError that ends a call of `method` (its full name) which raised `error`.

    Any other exception is a bug: it is logged with its traceback, and the client gets only the
    reference of that log entry. The cause of a ServiceError is logged without secrets; the manager
    logs that of Misconfigured, once. Call this in the `except` block.
    """
    log = structlog.get_logger(__name__)
    if not isinstance(error, ServiceError):
        reference = uuid.uuid4().hex[:12]
        log.error("unexpected error", method=method, reference=reference, exc_info=error)
        return Unexpected(reference)
    if error.kind is Kind.RESOURCE_EXHAUSTED:
        structlog.contextvars.bind_contextvars(reason=error.message)
    if error.__cause__ is not None and not isinstance(error, Misconfigured):
        log.info("cause", method=method, code=error.code, cause=_shown(error.__cause__))
    return error


def rich_status(error: ServiceError) -> status_pb2.Status:
    """google.rpc.Status: code, message, and BadRequest or RetryInfo details where they apply."""
    code = code_pb2.Code.Value(error.kind.value)
    status = status_pb2.Status(code=code, message=_fitted(str(error)))
    bad_request = _bad_request(error.problems)
    if bad_request.field_violations:
        status.details.add().Pack(bad_request)
    if error.retry_seconds is not None:
        delay = timedelta(seconds=error.retry_seconds)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def _fitted(message: str, limit: int = _MOST_MESSAGE_BYTES) -> str:
    """`message`, cut with an ellipsis where its percent-encoded form passes `limit` bytes."""
    if len(quote(message)) <= limit:
        return message
    size = len(quote("…"))
    for index, character in enumerate(message):
        size += len(quote(character))
        if size > limit:
            return message[:index] + "…"
    return message


def _shown(cause: BaseException) -> str:
    """A cause as it may be logged: with its message for exceptions of PyMongo, which hold secrets
    in quotations only, else its type alone. A UnicodeDecodeError holds its whole input, a token."""
    kind = type(cause)
    if kind.__module__.partition(".")[0] != "pymongo":
        return kind.__name__
    answer = getattr(cause, "details", None) or {}
    code = f"{answer['code']} {answer.get('codeName')}: " if "code" in answer else ""
    return f"{kind.__name__}({code}{without_quotations(cause)})"


def _bad_request(problems: Iterable[Problem]) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for problem in problems:
        bad_request.field_violations.add(
            field=_fitted(problem.path, 256),
            description=_fitted(f"{problem.code}: {problem.message}", 512),
        )
        if bad_request.ByteSize() > _MOST_DETAIL_BYTES:
            del bad_request.field_violations[-1]
            break
    return bad_request

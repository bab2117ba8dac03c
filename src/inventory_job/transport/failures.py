"""Maps an exception to the error that the client gets, and logs its cause."""

from __future__ import annotations

import uuid

import structlog

from inventory_job.errors import Kind, Misconfigured, ServiceError, Unexpected
from inventory_job.model.driver_errors import without_quotations


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


def _shown(cause: BaseException) -> str:
    """A cause as it may be logged: with its message for exceptions of PyMongo, which hold secrets
    in quotations only, else its type alone. A UnicodeDecodeError holds its whole input, a token."""
    kind = type(cause)
    if kind.__module__.partition(".")[0] != "pymongo":
        return kind.__name__
    answer = getattr(cause, "details", None) or {}
    code = f"{answer['code']} {answer.get('codeName')}: " if "code" in answer else ""
    return f"{kind.__name__}({code}{without_quotations(cause)})"

"""Exceptions → the failure that ends the call, and the log entry with its cause."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

import structlog

from inventory_job.errors import Kind, Misconfigured, ServiceError, Unexpected

_QUOTED = re.compile(r'".*"|\{.*\}', re.DOTALL)


def failure_of(error: Exception, method: str) -> ServiceError:
    """What a call of the full `method` name that raised `error` ends with.

    What is not ours is a bug: logged whole, and only the reference of the entry is public. The
    cause of one of ours is logged as far as that is safe, that of Misconfigured by the manager and
    once. To be called where `error` is handled.
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
    """What the log may say of a cause: of others than the driver's, which hold no secrets, only
    the kind. A UnicodeDecodeError, say, holds all that could not be decoded: a token."""
    kind = type(cause)
    if kind.__module__.partition(".")[0] != "pymongo":
        return kind.__name__
    answer = getattr(cause, "details", None)
    if not isinstance(answer, Mapping) or "errmsg" not in answer:
        return repr(cause)
    # Some sentences of the database quote the command that was refused, or a stored value.
    sentence = _QUOTED.sub("…", str(answer["errmsg"]))
    return f"{kind.__name__}({answer.get('code')} {answer.get('codeName')}: {sentence})"

"""What can go wrong, as values.

Every answer that is not a result is a `ServiceError`: a code that existing clients act on, the
kind of failure, a sentence a caller can act on and, for a bad request, one `Problem` for each
thing wrong with it. Nothing here knows gRPC or HTTP; `transport.status` maps each kind to a
status. docs/errors.md lists the codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import ClassVar


class Code(StrEnum):
    """The words before the colon in the details of a failed call; clients compare them."""

    REQUIRED_PARAMETER = "ERROR_REQUIRED_PARAMETER"
    INVALID_PARAMETER_TYPE = "ERROR_INVALID_PARAMETER_TYPE"
    INVALID_PARAMETER = "ERROR_INVALID_PARAMETER"
    OPERATOR_VALUE_TYPE = "ERROR_OPERATOR_VALUE_TYPE"
    OPERATOR_LIST_VALUE_TYPE = "ERROR_OPERATOR_LIST_VALUE_TYPE"
    OPERATOR_DICT_VALUE_TYPE = "ERROR_OPERATOR_DICT_VALUE_TYPE"
    OPERATOR_BOOLEAN_TYPE = "ERROR_OPERATOR_BOOLEAN_TYPE"
    NOT_FOUND = "ERROR_NOT_FOUND"
    AUTHENTICATE_FAILURE = "ERROR_AUTHENTICATE_FAILURE"
    PERMISSION_DENIED = "ERROR_PERMISSION_DENIED"
    DB_QUERY = "ERROR_DB_QUERY"
    UNAVAILABLE = "ERROR_UNAVAILABLE"
    REQUEST_TIMEOUT = "ERROR_REQUEST_TIMEOUT"
    RESOURCE_EXHAUSTED = "ERROR_RESOURCE_EXHAUSTED"
    UNKNOWN = "ERROR_UNKNOWN"


class Kind(Enum):
    """The canonical status of a failure, by its google.rpc.Code name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request.

    `path` is where, as written by the caller (`query.filter[2].operator`, "" for the request as
    a whole); `message` is a whole sentence that names the field and the reason.
    """

    code: Code
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Outage:
    """Why the database cannot be used now, for operators: no secrets.

    `kind` is one of a few words ("login refused", "no connection", …), `host` the addresses that it
    is about, `reason` a sentence, the driver's where there is one.
    """

    kind: str
    host: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.host}: {self.reason}"


class NotAtOnce(Exception):
    """This cannot be done in an event loop, where nothing may take long: it is to be done in a
    thread, from the start. Nobody outside is told."""


class ServiceError(Exception):
    """A failure the caller is told about. `message` is public: it never holds driver internals,
    tokens or another tenant's data; the cause, if any, is chained and goes to the log."""

    kind: ClassVar[Kind] = Kind.INTERNAL

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the request, field by field; empty when no field is to blame."""
        return ()


class InvalidRequest(ServiceError):
    """The request is wrong in one or more places; the first gives code and message."""

    kind = Kind.INVALID_ARGUMENT

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        found = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if not found:
            raise ValueError("an invalid request has at least one problem")
        super().__init__(found[0].code, found[0].message)
        self._problems = found

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems


class QueryRefused(ServiceError):
    """The database refused the query because of what the caller asked."""

    kind = Kind.INVALID_ARGUMENT

    def __init__(self, reason: str) -> None:
        super().__init__(Code.DB_QUERY, f"Database query failed. (reason = {reason})")


class QueryFailed(ServiceError):
    """The database failed on a query that should have worked."""

    def __init__(self, reason: str) -> None:
        super().__init__(Code.DB_QUERY, f"Database query failed. (reason = {reason})")


class Misconfigured(ServiceError):
    """The service may not do this on the database, or is set up wrongly for it: the caller is not
    to blame, and trying again does not help before an operator has changed something."""

    kind = Kind.FAILED_PRECONDITION

    def __init__(self, reason: str) -> None:
        super().__init__(Code.DB_QUERY, f"Database query failed. (reason = {reason})")
        self.reason = reason


class NotFound(ServiceError):
    """No such job in the caller's scope; the same answer whether it exists elsewhere or not."""

    kind = Kind.NOT_FOUND

    def __init__(self, job_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND, f"Resource cannot be found or access is denied. (job_id = {job_id})"
        )


class Unauthenticated(ServiceError):
    """No caller could be established. `reason` never holds the token."""

    kind = Kind.UNAUTHENTICATED

    def __init__(self, reason: str) -> None:
        super().__init__(Code.AUTHENTICATE_FAILURE, f"Authenticate failure. (message = {reason})")


class PermissionDenied(ServiceError):
    """The caller is known and may not do this. `path` names the request field, if one is to
    blame."""

    kind = Kind.PERMISSION_DENIED

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(Code.PERMISSION_DENIED, f"Permission denied. (reason = {reason})")
        self._path = path

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (Problem(self.code, self._path, self.message),) if self._path else ()


class Unavailable(ServiceError):
    """A service this one depends on cannot be reached; the call can be repeated later."""

    kind = Kind.UNAVAILABLE

    def __init__(self, reason: str) -> None:
        super().__init__(Code.UNAVAILABLE, f"Server is unavailable. (reason = {reason})")


class RequestTimeout(ServiceError):
    """The call's deadline, or the server's limit on one query, has passed."""

    kind = Kind.DEADLINE_EXCEEDED

    def __init__(self) -> None:
        super().__init__(Code.REQUEST_TIMEOUT, "Request timeout!")


class TooLarge(ServiceError):
    """A request or a response beyond the size that is served."""

    kind = Kind.RESOURCE_EXHAUSTED

    def __init__(self, what: str, most_bytes: int) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            f"Message is too large. (reason = the {what} has more than {most_bytes} bytes)",
        )


class Overloaded(ServiceError):
    """More calls than the server can hold: this one was not begun, or only read what there was no
    room for. `retry_seconds` is when it is worth another try."""

    kind = Kind.RESOURCE_EXHAUSTED

    def __init__(self, retry_seconds: float = 1.0, reason: str = "too many calls at once") -> None:
        super().__init__(Code.RESOURCE_EXHAUSTED, f"Server is busy. (reason = {reason})")
        self.retry_seconds = retry_seconds


class Unexpected(ServiceError):
    """A bug. Only `reference`, the id of the log entry, is public."""

    def __init__(self, reference: str) -> None:
        super().__init__(Code.UNKNOWN, f"An unexpected error occurred. (reference = {reference})")


def required(path: str, key: str | None = None) -> Problem:
    """A parameter that must be given and is not. `key` is what the sentence calls it, when that
    is shorter than its path."""
    return Problem(Code.REQUIRED_PARAMETER, path, f"Required parameter. (key = {key or path})")


def wrong_type(path: str, expected: str, key: str | None = None) -> Problem:
    """A value that is not, and cannot be converted to, what is `expected` there."""
    return Problem(
        Code.INVALID_PARAMETER_TYPE,
        path,
        f"Parameter type is invalid. (key = {key or path}, type = {expected})",
    )


def invalid(path: str, reason: str, key: str | None = None) -> Problem:
    """Any other bad value; `reason` says what is wrong and what would do."""
    return Problem(
        Code.INVALID_PARAMETER,
        path,
        f"Parameter is invalid. (key = {key or path}, reason = {reason})",
    )

"""What can go wrong, as values.

Every answer that is not a result is a `ServiceError`: a code that existing clients act on, the
kind of failure, a sentence a caller can act on and, for a bad request, one `Problem` for each
thing wrong with it. Nothing here knows gRPC or HTTP; `transport.grpc.status` and
`transport.http.status` map each kind to a status. docs/errors.md lists the codes.
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


class ServiceError(Exception):
    """A failure that ends a call, its `message` made from a public `reason`: that never
    holds driver internals, tokens or another tenant's data; the cause, if any, is chained and goes
    to the log. `problems` are what is wrong with the request, field by field."""

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: Code
    template: ClassVar[str] = "{}"
    problems: tuple[Problem, ...] = ()

    def __init__(self, reason: str = "") -> None:
        self.message = self.template.format(reason)
        self.reason = reason
        super().__init__(f"{self.code}: {self.message}")


class InvalidRequest(ServiceError):
    """The request has one or more problems; the first gives code and message."""

    kind = Kind.INVALID_ARGUMENT

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.code = self.problems[0].code
        super().__init__(self.problems[0].message)


class QueryFailed(ServiceError):
    """The database failed on a query that should have worked."""

    code = Code.DB_QUERY
    template = "Database query failed. (reason = {})"


class QueryRefused(QueryFailed):
    """The database refused the query because of what it contains."""

    kind = Kind.INVALID_ARGUMENT


class Misconfigured(QueryFailed):
    """The service may not do this on the database, or is set up wrongly for it: the caller is not
    to blame, and trying again does not help before an operator has changed something."""

    kind = Kind.FAILED_PRECONDITION


class NotFound(ServiceError):
    """No job of that job_id in the caller's scope; the same answer whether it exists elsewhere."""

    kind = Kind.NOT_FOUND
    code = Code.NOT_FOUND
    template = "Resource cannot be found or access is denied. (job_id = {})"


class Unauthenticated(ServiceError):
    """No caller could be established. The reason never holds the token."""

    kind = Kind.UNAUTHENTICATED
    code = Code.AUTHENTICATE_FAILURE
    template = "Authenticate failure. (message = {})"


class PermissionDenied(ServiceError):
    """The caller is known and may not do this. `path` names the request field, if one is to
    blame."""

    kind = Kind.PERMISSION_DENIED
    code = Code.PERMISSION_DENIED
    template = "Permission denied. (reason = {})"

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        if path:
            self.problems = (Problem(self.code, path, self.message),)


class Unavailable(ServiceError):
    """A service this one depends on cannot be reached; the call can be repeated later."""

    kind = Kind.UNAVAILABLE
    code = Code.UNAVAILABLE
    template = "Server is unavailable. (reason = {})"


class RequestTimeout(ServiceError):
    """The call's deadline, or the server's limit on one query, has passed."""

    kind = Kind.DEADLINE_EXCEEDED
    code = Code.REQUEST_TIMEOUT
    template = "Request timeout!"


class TooLarge(ServiceError):
    """A request or a response beyond the size that is served."""

    kind = Kind.RESOURCE_EXHAUSTED
    code = Code.RESOURCE_EXHAUSTED
    template = "Message is too large. (reason = {})"

    def __init__(self, what: str, most_bytes: int) -> None:
        super().__init__(f"the {what} has more than {most_bytes} bytes")


class Overloaded(ServiceError):
    """More calls than the server can hold: this one was not begun, or only read what there was no
    room for. `reason` names what is used up; another try is worth it after `retry_seconds`."""

    kind = Kind.RESOURCE_EXHAUSTED
    code = Code.RESOURCE_EXHAUSTED
    template = "Server is busy. (reason = {})"
    retry_seconds: ClassVar[float] = 1.0


class Unexpected(ServiceError):
    """A bug. Only its reference, the id of the log entry, is public."""

    code = Code.UNKNOWN
    template = "An unexpected error occurred. (reference = {})"


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

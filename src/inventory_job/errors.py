"""The errors of the service, independent of gRPC and HTTP.

Every failed call ends with a `ServiceError`: a code that existing clients act on, the kind of
failure, a message that helps the caller and, for an invalid request, one `Problem` for each thing
wrong with it. `transport.grpc.interceptor` and `transport.http.status` map each kind to a status.
docs/errors.md lists the codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import ClassVar


class Code(StrEnum):
    """The error code, which precedes the colon in a failed call's details; clients compare it."""

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
    """The kind of a failure, named after its google.rpc.Code."""

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

    `path`: the field, as the caller wrote it (`query.filter[2].operator`), or "" for the request as
    a whole; `message`: a sentence that names the field and the reason.
    """

    code: Code
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Outage:
    """Why the database cannot be used now. For operators; contains no secrets.

    `kind`: one of a few phrases ("login refused", "no connection", …); `host`: the addresses
    concerned; `reason`: a sentence, the driver's if it has one.
    """

    kind: str
    host: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.host}: {self.reason}"


class ServiceError(Exception):
    """A failure that ends a call. `message` is made from `reason`; both are public, and contain no
    driver internals, tokens or other tenants' data. The cause, if any, is chained and logged.
    `problems`: what is wrong with the request, field by field. `retry_seconds`: after which time
    clients may retry; None if the error does not say."""

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: Code
    template: ClassVar[str] = "{}"
    problems: tuple[Problem, ...] = ()
    retry_seconds: ClassVar[float | None] = None

    def __init__(self, reason: str = "") -> None:
        self.message = self.template.format(reason)
        self.reason = reason
        super().__init__(f"{self.code}: {self.message}")


class InvalidRequest(ServiceError):
    """The request has one or more problems; code and message are those of the first."""

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
    """The service lacks a right on the database, or its connection is set up wrongly. The caller is
    not at fault, and retries fail until an operator changes something."""

    kind = Kind.FAILED_PRECONDITION


class NotFound(ServiceError):
    """The caller's scope has no such job. The error does not reveal whether another scope has."""

    kind = Kind.NOT_FOUND
    code = Code.NOT_FOUND
    template = "Resource cannot be found or access is denied. (job_id = {})"


class Unauthenticated(ServiceError):
    """The caller could not be authenticated. The reason never contains the token."""

    kind = Kind.UNAUTHENTICATED
    code = Code.AUTHENTICATE_FAILURE
    template = "Authenticate failure. (message = {})"


class PermissionDenied(ServiceError):
    """The caller is authenticated, but may not do this. `path`: the request field at fault, if
    any."""

    kind = Kind.PERMISSION_DENIED
    code = Code.PERMISSION_DENIED
    template = "Permission denied. (reason = {})"

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        if path:
            self.problems = (Problem(self.code, path, self.message),)


class Unavailable(ServiceError):
    """A service this one depends on cannot be used now; the client may retry later."""

    kind = Kind.UNAVAILABLE
    code = Code.UNAVAILABLE
    template = "Server is unavailable. (reason = {})"


class RequestTimeout(ServiceError):
    """The call's deadline, or the server's limit on one query, has passed."""

    kind = Kind.DEADLINE_EXCEEDED
    code = Code.REQUEST_TIMEOUT
    template = "Request timeout!"


class TooLarge(ServiceError):
    """A request or response is larger than the limit."""

    kind = Kind.RESOURCE_EXHAUSTED
    code = Code.RESOURCE_EXHAUSTED
    template = "Message is too large. (reason = {})"

    def __init__(self, what: str, most_bytes: int) -> None:
        super().__init__(f"the {what} has more than {most_bytes} bytes")


class Overloaded(ServiceError):
    """The server has too many calls, and rejects this one before it runs, possibly after reading
    part of it. `reason`: the limit reached."""

    kind = Kind.RESOURCE_EXHAUSTED
    code = Code.RESOURCE_EXHAUSTED
    template = "Server is busy. (reason = {})"
    retry_seconds = 1.0


class Unexpected(ServiceError):
    """A bug in the service. Only its reference, the id of the log entry, is public."""

    code = Code.UNKNOWN
    template = "An unexpected error occurred. (reference = {})"


def required(path: str, key: str | None = None) -> Problem:
    """A required parameter is missing. `key`: its name in the message, if that should be shorter
    than its path."""
    return Problem(Code.REQUIRED_PARAMETER, path, f"Required parameter. (key = {key or path})")


def wrong_type(path: str, expected: str, key: str | None = None) -> Problem:
    """A value is not of the `expected` type, and cannot be converted to it."""
    return Problem(
        Code.INVALID_PARAMETER_TYPE,
        path,
        f"Parameter type is invalid. (key = {key or path}, type = {expected})",
    )


def invalid(path: str, reason: str, key: str | None = None) -> Problem:
    """A value is invalid for another reason; `reason` says why, and what is accepted."""
    return Problem(
        Code.INVALID_PARAMETER,
        path,
        f"Parameter is invalid. (key = {key or path}, reason = {reason})",
    )

"""What the driver raises → our errors: one table, nothing of the driver's text in public.

Which failures are the query's fault follows MongoDB's error codes (src/mongo/base/error_codes.yml
of its sources); numbers from 10000 are assertions, which a read only meets through what it asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
)

from inventory_job.errors import (
    QueryFailed,
    QueryRefused,
    RequestTimeout,
    ServiceError,
    Unavailable,
)

_BAD_VALUE = 2
_UNAUTHORIZED = 13
_INVALID_PATTERN = 51091
_FIRST_ASSERTION = 10_000

_TIMEOUTS = frozenset({24, 50, 89, 202, 262, 11601})
_UNAVAILABLE: Mapping[int, str] = {
    **dict.fromkeys((6, 7, 43, 91, 112, 133, 134, 189, 246), "the database is changing over"),
    **dict.fromkeys((9001, 10058, 10107, 11600, 11602), "the database is changing over"),
    **dict.fromkeys((13388, 13435, 13436), "the database is changing over"),
    **dict.fromkeys((11, _UNAUTHORIZED, 18, 8000), "the database refuses this service's access"),
}
_AT_FAULT: Mapping[int, str] = {
    146: "the query needs more memory than the database allows",
    292: "the query needs more memory than the database allows",
    10334: "a result is larger than 16 MiB",
    17217: "the distinct values are larger than 16 MiB",
    16006: "a date key or format was given values that are not dates",
    4997901: "a date key or format was given values that are not dates",
    17124: "size was given a value that is not a list",
    40386: "array_to_object was given a value that is not a list",
    40390: "object_to_array was given a value that is not a document",
    40400: "merge_objects was given a value that is not a document",
    5911200: "merge_objects was given a value that is not a document",
    51156: "a regular expression takes too many steps",
    5126704: "first or last of an array was given a value that is not a list",
    28689: "first or last of an array was given a value that is not a list",
    **dict.fromkeys(
        (14, 16554, 16555, 16556, 16609, 16610, 16611), "arithmetic on other than numbers"
    ),
}
# BadValue, FailedToParse, TypeMismatch, Overflow, InvalidLength, InvalidBSON, InvalidPath,
# EmptyFieldName, DottedFieldName, CommandNotSupportedOnView, ConversionFailure and their like.
_QUERY_CODES = frozenset({2, 9, 14, 15, 16, 22, 28, 30, 40, 52, 53, 54, 55, 56, 57, 72, 241})


DRIVER_ERRORS = (PyMongoError, BSONError, OverflowError)
"""What the driver raises."""


@contextmanager
def translated() -> Iterator[None]:
    """Raises what happens inside as ServiceErrors, the driver's exception as their cause."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translate(error) from error


def translate(error: Exception) -> ServiceError:
    """The ServiceError for a driver's exception."""
    for kinds, make in _TABLE:
        if isinstance(error, kinds):
            return make(error)
    return QueryFailed("the driver failed")


def pattern_complaint(failure: OperationFailure) -> str | None:
    """What MongoDB says of an invalid regular expression, when that is what it refuses."""
    if failure.code != _INVALID_PATTERN:
        return None
    message = str((failure.details or {}).get("errmsg", ""))
    found = re.search(r"Regular expression is invalid: ([\x20-\x7e]{1,80})", message)
    return found[1] if found else "MongoDB cannot read it"


def is_about_hint(failure: OperationFailure) -> bool:
    """Whether what MongoDB refuses is the hint of an index that is not there."""
    message = str((failure.details or {}).get("errmsg", ""))
    return failure.code == _BAD_VALUE and "hint provided" in message


def is_logged_out(failure: OperationFailure) -> bool:
    """Whether the connection is not authenticated (any more)."""
    message = str((failure.details or {}).get("errmsg", ""))
    return failure.code == _UNAUTHORIZED and "requires authentication" in message


def _connection(error: PyMongoError) -> ServiceError:
    # A socket that outlives the call's time limit is a timeout, one that breaks is not.
    if error.timeout and not _selecting(error):
        return RequestTimeout()
    return Unavailable("the database cannot be reached")


def _selecting(error: PyMongoError) -> bool:
    return type(error).__name__ == "ServerSelectionTimeoutError"


def _operation(error: OperationFailure) -> ServiceError:
    code = error.code or 0
    if code in _TIMEOUTS or error.timeout:
        return RequestTimeout()
    if code in _UNAVAILABLE:
        return Unavailable(_UNAVAILABLE[code])
    if code in _AT_FAULT:
        return QueryRefused(_AT_FAULT[code])
    if code in _QUERY_CODES or code >= _FIRST_ASSERTION:
        return QueryRefused(f"the database cannot evaluate the query, its error {code}")
    return QueryFailed(f"database error {code}")


_TABLE: list[tuple[type | tuple[type, ...], Callable[..., ServiceError]]] = [
    (ExecutionTimeout, lambda _: RequestTimeout()),
    (ConnectionFailure, _connection),
    (DocumentTooLarge, lambda _: QueryRefused("the query is larger than 16 MiB")),
    (OperationFailure, _operation),
    (InvalidOperation, lambda _: Unavailable("the server is stopping")),
    ((BSONError, OverflowError), lambda _: QueryRefused("a value cannot be stored")),
]

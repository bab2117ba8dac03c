"""Translates the driver's exceptions into ServiceErrors, which leave out the driver's messages.

MongoDB's error codes (src/mongo/base/error_codes.yml in its repository) decide which failures the
query caused. Codes from 10000 are assertions, which only the query of a read can cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    OperationFailure,
    ProtocolError,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from inventory_job.errors import (
    Misconfigured,
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
_ATLAS = 8000
# Transient: elections, moving shards and chunks, lost snapshots and cursors, an overloaded server.
# The categories NetworkError, NotPrimaryError, ShutdownError, NeedRetargettingError, SnapshotError,
# CursorInvalidatedError, RetriableError and SystemOverloadedError, and the codes ShardNotFound (70)
# and StaleDbVersion (249), which have no category.
_TRANSIENT = frozenset(
    {6, 7, 43, 63, 70, 91, 112, 133, 134, 150, 175, 189, 237, 239, 246, 249, 250, 251, 272, 290}
    | {314, 343, 355, 9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436}
)
_TOO_BUSY = frozenset({365, 402, 407, 412, 433, 449})
_NO_ACCESS = frozenset({11, _UNAUTHORIZED, 18, _ATLAS})
_CLOSED = ("after close", "closed connection pool")
_QUOTED = re.compile(r'".*"|\{.*\}|, full error: .*', re.DOTALL)
_LOGGED_OUT = re.compile(r"requires authentication|no users authenticated", re.IGNORECASE)
_FORBIDDEN = re.compile(r"not authorized on \S+ to execute command \{ (\w+): (?:\"([^\"]*)\")?")
_FORBIDDEN_IN_ATLAS = re.compile(r"not allowed to do action \[(\w+)\] on \[[^.\]]*\.?([^\]]*)\]")
_QUERY_REASONS: Mapping[int, str] = {
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
        (14, 16554, 16555, 16556, 16609, 16610, 16611, 16612), "arithmetic on other than numbers"
    ),
    **dict.fromkeys((15, 159, 31109), "arithmetic on dates that leaves the calendar"),
}
# BadValue, FailedToParse, TypeMismatch, Overflow, InvalidLength, InvalidBSON, InvalidPath,
# EmptyFieldName, DottedFieldName, CommandNotSupportedOnView, ConversionFailure and similar codes.
_QUERY_CODES = frozenset({2, 9, 14, 15, 16, 22, 28, 30, 40, 52, 53, 54, 55, 56, 57, 72, 241})


DRIVER_ERRORS = (PyMongoError, BSONError, OverflowError)
"""The base classes of the exceptions that the driver raises."""


@contextmanager
def translated() -> Iterator[None]:
    """Raises a driver's exception in the block as a ServiceError, with the exception as cause."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translate(error) from error


def translate(error: Exception) -> ServiceError:
    """The ServiceError for a driver's exception."""
    match error:
        case DocumentTooLarge():
            return QueryRefused("the query is larger than 16 MiB")
        case BSONError() | OverflowError():
            return QueryRefused("a value cannot be stored")
        case OperationFailure():
            return _operation(error)
        case ConnectionFailure() | ProtocolError():
            # A socket that hits its time limit is a timeout; one that breaks is not.
            if error.timeout and not isinstance(error, ServerSelectionTimeoutError):
                return RequestTimeout()
            return Unavailable("the database cannot be reached")
        case ConfigurationError() if type(error.__cause__).__module__.startswith("dns."):
            return Unavailable("the database's name cannot be looked up")
        case ConfigurationError():
            # `Database` has already refused errors in the connection string itself.
            return Misconfigured("the service's connection to the database is set up wrongly")
        case _ if any(words in str(error) for words in _CLOSED):
            # The driver has no exception class that tells a closed client from programming errors.
            return Unavailable("the server is stopping")
        case _:
            return QueryFailed("the driver failed")


def pattern_complaint(failure: PyMongoError) -> str | None:
    """MongoDB's reason for refusing a regular expression; None if it refused something else."""
    if not isinstance(failure, OperationFailure) or failure.code != _INVALID_PATTERN:
        return None
    found = re.search(r"Regular expression is invalid: ([\x20-\x7e]{1,80})", _sentence(failure))
    return found[1] if found else "MongoDB cannot read it"


def without_quotations(error: BaseException) -> str:
    """The message of MongoDB, or of the driver, for the log: without what it quotes of a command or
    of stored values."""
    return _QUOTED.sub("…", _sentence(error))


def is_about_hint(failure: OperationFailure) -> bool:
    """Whether MongoDB refused an index hint because there is no such index."""
    return failure.code == _BAD_VALUE and "hint provided" in _sentence(failure)


def is_about_lists(failure: OperationFailure) -> bool:
    """Whether MongoDB refused a sort because a document has arrays under several sort keys."""
    return failure.code == _BAD_VALUE and "parallel arrays" in _sentence(failure)


def is_logged_out(failure: PyMongoError) -> bool:
    """Whether MongoDB no longer knows this connection's user, so that a new connection, which
    authenticates again, may succeed. False when the user lacks a privilege."""
    return (
        isinstance(failure, OperationFailure)
        and failure.code == _UNAUTHORIZED
        and _missing_right(failure) is None
    )


def _missing_right(failure: OperationFailure) -> str | None:
    """What the service's user lacks a privilege for, as in "run find on job"; None if the failure
    has another cause."""
    if failure.code not in {_UNAUTHORIZED, _ATLAS}:
        return None
    sentence = _sentence(failure)
    found = _FORBIDDEN.search(sentence) or _FORBIDDEN_IN_ATLAS.search(sentence)
    if found is None:
        # MongoDB-compatible databases word this differently.
        is_right = failure.code == _UNAUTHORIZED and not _LOGGED_OUT.search(sentence)
        return "do this" if is_right else None
    command, collection = found.groups()
    return f"run {command} on {collection}" if collection else f"run {command}"


def _sentence(error: BaseException) -> str:
    """The message of MongoDB, or of the driver; not to be shown: it may quote a command."""
    details = getattr(error, "details", None)
    return str((details.get("errmsg") if isinstance(details, Mapping) else None) or error)


def _operation(error: OperationFailure) -> ServiceError:
    code = error.code or 0
    if (right := _missing_right(error)) is not None:
        return Misconfigured(f"the service's database user may not {right}")
    if code in _TIMEOUTS or error.timeout:
        return RequestTimeout()
    if code in _NO_ACCESS:
        return Unavailable("the database refuses this service's access")
    if code in _TOO_BUSY:
        return Unavailable("the database is too busy")
    if code in _TRANSIENT or error.has_error_label("TransientTransactionError"):
        return Unavailable("the database is changing over")
    if code in _QUERY_REASONS:
        return QueryRefused(_QUERY_REASONS[code])
    if code in _QUERY_CODES or code >= _FIRST_ASSERTION:
        return QueryRefused(f"the database cannot evaluate the query, its error {code}")
    return QueryFailed(f"database error {code}")

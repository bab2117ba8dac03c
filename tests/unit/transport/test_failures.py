"""What the log says of a failed call, and what it does not."""

from __future__ import annotations

import pytest
import structlog
from pymongo.errors import OperationFailure
from structlog.testing import capture_logs

from inventory_job.errors import Overloaded, QueryFailed, ServiceError, TooLarge, Unavailable
from inventory_job.observability.call_log import CallLog
from inventory_job.observability.metrics import Metrics
from inventory_job.transport.failures import failure_of


def logged(failure: ServiceError, cause: Exception) -> str:
    with capture_logs() as entries:
        try:
            raise failure from cause
        except ServiceError as error:
            failure_of(error, "/service/method")
    return repr(entries)


def test_what_could_not_be_decoded_is_not_logged() -> None:
    token = b"SECRET-TOKEN\xe2\x80\x8b"
    with pytest.raises(UnicodeDecodeError) as raised:
        token.decode("ascii")

    said = logged(Unavailable("this server's own token cannot be read"), raised.value)

    assert "SECRET" not in said
    assert "UnicodeDecodeError" in said


@pytest.mark.parametrize(
    "failure",
    [Overloaded("too many calls at once"), TooLarge("response", 1)],
    ids=["busy", "large"],
)
def test_the_entry_of_a_refused_call_has_the_reason(failure: ServiceError) -> None:
    log = CallLog(Metrics())
    with (
        capture_logs(processors=[structlog.contextvars.merge_contextvars]) as entries,
        log.record("/service/get", "grpc", ()),
    ):
        failure_of(failure, "/service/get")

    [entry] = entries
    assert (entry["event"], entry["reason"]) == ("call", failure.message)


@pytest.mark.parametrize(
    "sentence",
    [
        'not authorized on inventory to execute command { find: "job", filter: { a: "SECRET" } }',
        '$mergeObjects requires object inputs, but input "a "SECRET" b" is of type string',
    ],
    ids=["command", "stored value"],
)
def test_what_the_database_quotes_is_not_logged(sentence: str) -> None:
    answer = {"ok": 0.0, "errmsg": sentence, "code": 13, "codeName": "Unauthorized"}
    cause = OperationFailure(f"{sentence}, full error: {answer}", 13, answer)

    said = logged(QueryFailed("database error 13"), cause)

    assert "SECRET" not in said
    assert f"13 Unauthorized: {sentence[:20]}" in said


def test_what_the_database_says_is_logged_whole() -> None:
    cause = OperationFailure("the cluster is in a bad mood", 8)

    assert "bad mood" in logged(QueryFailed("database error 8"), cause)

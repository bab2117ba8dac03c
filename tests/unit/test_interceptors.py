"""What the log is told of a failed call, and what it is not."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from pymongo.errors import OperationFailure
from structlog.testing import capture_logs

from inventory_job.errors import QueryFailed, ServiceError, Unavailable
from inventory_job.transport.interceptors import Errors


class Context:
    """A servicer context that keeps the status it was ended with."""

    def abort_with_status(self, status: grpc.Status) -> None:
        self.status = status


def logged(failure: ServiceError, cause: Exception) -> str:
    def behavior(request: Any, context: Any) -> Any:
        raise failure from cause

    with capture_logs() as entries:
        Errors().around(behavior, "/service/method")(object(), Context())
    return repr(entries)


def test_what_could_not_be_decoded_is_not_logged() -> None:
    token = b"SECRET-TOKEN\xe2\x80\x8b"
    with pytest.raises(UnicodeDecodeError) as raised:
        token.decode("ascii")

    said = logged(Unavailable("this server's own token cannot be read"), raised.value)

    assert "SECRET" not in said
    assert "UnicodeDecodeError" in said


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

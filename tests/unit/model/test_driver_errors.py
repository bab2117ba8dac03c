"""What the driver raises, and what callers get for it."""

from __future__ import annotations

import pytest
from bson.errors import InvalidBSON
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    InvalidOperation,
    OperationFailure,
    ProtocolError,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from inventory_job.errors import Kind
from inventory_job.model.driver_errors import is_logged_out, translate

_PASSING = [6, 7, 43, 70, 91, 112, 150, 175, 189, 239, 246, 249, 250, 251, 272, 365, 402, 433, 449]
_FORBIDDEN = (
    'not authorized on inventory to execute command { find: "job", filter: { a: "SECRET" } }'
)
_FORBIDDEN_IN_ATLAS = "user is not allowed to do action [remove] on [inventory.job_task]"


def refused(code: int, sentence: str = "", labels: tuple[str, ...] = ()) -> OperationFailure:
    answer = {"ok": 0.0, "errmsg": sentence, "code": code, "errorLabels": [*labels]}
    return OperationFailure(f"{sentence}, full error: {answer}", code, answer)


def looked_up_in_vain() -> ConfigurationError:
    resolver = pytest.importorskip("dns.resolver")
    error = ConfigurationError("The DNS query name does not exist: _mongodb._tcp.a.test.")
    error.__cause__ = resolver.NXDOMAIN()
    return error


@pytest.mark.parametrize("code", _PASSING)
def test_failures_that_pass_are_unavailable(code: int) -> None:
    assert translate(refused(code)).kind is Kind.UNAVAILABLE


def test_a_transaction_that_may_be_repeated_is_unavailable_whatever_its_code() -> None:
    assert translate(refused(1, labels=("TransientTransactionError",))).kind is Kind.UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AutoReconnect("connection closed"), "cannot be reached"),
        (ServerSelectionTimeoutError("no servers"), "cannot be reached"),
        (ProtocolError("Got response id 1 but expected 2"), "cannot be reached"),
        (looked_up_in_vain(), "name cannot be looked up"),
        (InvalidOperation("Cannot use MongoClient after close"), "server is stopping"),
        (refused(18, "Authentication failed."), "refuses this service's access"),
        (refused(13, "command find requires authentication"), "refuses this service's access"),
    ],
    ids=repr,
)
def test_a_database_that_is_not_to_be_had_is_unavailable(error: PyMongoError, words: str) -> None:
    failure = translate(error)

    assert failure.kind is Kind.UNAVAILABLE
    assert words in failure.message


@pytest.mark.parametrize(
    "sentence",
    [
        "read preference in a transaction must be primary, not: Nearest()",
        "Cannot use ended session",
        "A value for deleted_count is not available when the write is unacknowledged.",
        "No transaction started",
        "cannot set options after executing query",
    ],
)
def test_a_mistake_in_using_the_driver_is_no_stop_of_the_server(sentence: str) -> None:
    failure = translate(InvalidOperation(sentence))

    assert failure.kind is Kind.INTERNAL
    assert "stopping" not in failure.message


@pytest.mark.parametrize(
    ("error", "right"),
    [
        (refused(13, _FORBIDDEN), "run find on job)"),
        (refused(13, "not authorized on admin to execute command { ping: 1 }"), "run ping)"),
        (refused(8000, _FORBIDDEN_IN_ATLAS), "run remove on job_task)"),
        (refused(13, "Authorization failure"), "do this)"),
    ],
    ids=["of a command on a collection", "of a command", "Atlas", "in other words"],
)
def test_a_missing_right_is_the_service_s_own_fault(error: OperationFailure, right: str) -> None:
    failure = translate(error)

    assert failure.kind is Kind.FAILED_PRECONDITION
    assert failure.message.endswith(f"the service's database user may not {right}")
    assert "SECRET" not in failure.message
    assert not is_logged_out(error)


def test_a_connection_whose_user_is_gone_is_another_matter() -> None:
    assert is_logged_out(refused(13, "command find requires authentication"))
    assert is_logged_out(refused(13, "there are no users authenticated"))
    assert not is_logged_out(refused(18, "Authentication failed."))


def test_a_set_up_that_the_driver_refuses_is_the_service_s_own_fault() -> None:
    old = ConfigurationError("Server at a.test:1 reports wire version 5, but at least 8 is needed")

    assert translate(old).kind is Kind.FAILED_PRECONDITION


def test_what_is_no_query_of_the_caller_s_is_not_the_caller_s_fault() -> None:
    assert translate(refused(1)).kind is Kind.INTERNAL
    assert translate(PyMongoError("anything")).kind is Kind.INTERNAL
    assert translate(InvalidBSON("anything")).kind is Kind.INVALID_ARGUMENT

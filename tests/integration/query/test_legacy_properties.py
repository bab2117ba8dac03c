"""Laws of the query language over what older data may hold: any BSON type in any field."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from inventory_job.errors import InvalidRequest, QueryRefused
from tests import oracle
from tests.support import analyze_strategies, strategies
from tests.support.lower_half import LowerHalf, message
from tests.support.store import Store
from tests.support.stored_values import VALUES, Deprecated, as_stored

NOW = datetime(2026, 3, 7, 13, 45, 12, 345000)
# Of these the specification does not say what is shown, or what a sum of them is; and MongoDB
# wraps the last two into documents now and then.
_UNSAID = {"deeply nested", "large decimal", "small decimal", "MinKey", "MaxKey"}
# Arithmetic is over what the rows hold, and of what are no numbers there is no sum.
_OF_THE_ROWS = "arithmetic on "
KNOWN = [
    value
    for name, value in VALUES.items()
    if name not in _UNSAID and not isinstance(value, Deprecated)
]
PLAIN = oracle.many_jobs(rng_seed=1, count=300)
LEGACY = oracle.legacy_jobs(rng_seed=1, count=300, values=KNOWN)
ANYTHING = oracle.legacy_jobs(rng_seed=2, count=300, values=[*VALUES.values()], share=0.3)
REQUESTS = {
    "list": strategies.list_requests,
    "stat": strategies.stat_requests,
    "analyze": analyze_strategies.analyze_requests(),
}
METHODS = [*REQUESTS]

SCOPES = [
    Scope("domain-a"),
    Scope("domain-b", ("workspace-1",)),
    Scope("domain-a", ("workspace-2", "*")),
]
scopes = st.sampled_from(SCOPES)
# As in test_properties.py; a busy machine takes several times as long as an idle one.
pytestmark = pytest.mark.timeout(60 + 0.25 * settings().max_examples)

law = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def stores(mongo_uri: str, database_name: str) -> Iterator[dict[str, Store]]:
    """The databases, each with jobs of its own."""
    with ExitStack() as opened:
        made = {}
        for name, jobs in {"plain": PLAIN, "legacy": LEGACY, "anything": ANYTHING}.items():
            store = opened.enter_context(Store(mongo_uri, f"{database_name}-{name}"))
            store.jobs.insert_many(map(as_stored, copy.deepcopy(jobs)))
            made[name] = store
        yield made


@pytest.fixture(scope="module")
def servers(stores: dict[str, Store]) -> Iterator[dict[str, LowerHalf]]:
    """Lower halves of servers, one over each database."""
    with ExitStack() as opened:
        yield {name: opened.enter_context(LowerHalf(store, NOW)) for name, store in stores.items()}


@pytest.fixture(scope="module")
def stored(stores: dict[str, Store]) -> dict[Scope, list[Any]]:
    """The legacy jobs as they are read, by scope."""
    jobs = list(stores["legacy"].jobs.find())
    return {scope: oracle.in_scope(jobs, oracles(scope)) for scope in SCOPES}


def refusal(server: LowerHalf, method: str, request: Message, scope: Scope) -> str | None:
    """Why a request is refused; None for one that is answered."""
    try:
        server.sent(method, request, scope)
    except (InvalidRequest, QueryRefused) as error:
        return str(error)
    return None


@pytest.mark.parametrize("method", METHODS)
def test_any_request_over_legacy_jobs_is_answered_rightly(
    servers: dict[str, LowerHalf], stored: dict[Scope, list[Any]], method: str
) -> None:
    """Two laws over the same requests: nothing that is stored makes a request refused that would
    be answered over plain jobs, and the answer is the oracle's."""
    met: Counter[str] = Counter()

    @law
    @given(REQUESTS[method], scopes)
    def holds(request: dict[str, Any], scope: Scope) -> None:
        sent = message(method, request)
        if refusal(servers["plain"], method, sent, scope) is not None:
            return
        reason = refusal(servers["anything"], method, sent, scope)
        assert reason is None or _OF_THE_ROWS in reason
        try:
            actual = servers["legacy"].answer(method, sent, scope)
        except (InvalidRequest, QueryRefused) as error:
            if _OF_THE_ROWS in str(error):
                return
            raise
        try:
            wanted = expected(method, sent, scope, stored[scope])
        except oracle.NotEvaluable:
            met["not evaluable"] += 1
            return
        met["right"] += 1
        wrong = difference(wanted, actual)
        assert wrong is None, (wrong, request)

    holds()
    assert met["right"] > 0.4 * met.total(), met


def difference(wanted: Any, actual: dict[str, Any]) -> str | None:
    """What is wrong with an answer, or None."""
    if not isinstance(wanted, oracle.ListAnswer):
        found: str | None = wanted.mismatch(actual)
        return found
    if actual["total_count"] != wanted.total_count:
        return f"total {actual['total_count']} instead of {wanted.total_count}"
    pairs = zip(wanted.jobs, actual["results"], strict=True)
    return next((f"{job!r}, expected {right!r}" for right, job in pairs if right != job), None)


def expected(method: str, request: Message, scope: Scope, stored: list[Any]) -> Any:
    plain = json_format.MessageToDict(request, preserving_proto_field_name=True)
    truth = {"list": oracle.list_jobs, "stat": oracle.stat, "analyze": oracle.analyze}[method]
    return truth(stored, plain, oracles(scope), NOW)


def oracles(scope: Scope) -> oracle.Scope:
    return oracle.Scope(scope.domain_id, scope.workspace_ids)

"""Laws of the answers to any request, on the real database.

Every law is tried on 1 000 requests, the same ones each time; `--examples N` tries N others.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from hypothesis import event, given, settings
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from inventory_job.errors import QueryRefused
from inventory_job.stubs.spaceone.api.core.v2 import query_pb2
from inventory_job.wire.decode import decode
from tests import oracle
from tests.support import analyses, analyze_strategies, chains, lists, nonsense, strategies
from tests.support.client import REQUESTS as REQUEST_MESSAGES
from tests.support.laws import (
    JOBS,
    NOW,
    REFUSALS,
    SCOPES,
    canonical,
    law,
    reply,
    same,
    scopes,
    served,
)
from tests.support.lower_half import LowerHalf, as_json, message
from tests.support.places import is_place
from tests.support.store import Store

REQUESTS = {
    "list": strategies.list_requests,
    "stat": st.one_of(strategies.stat_requests, chains.stat_requests),
    "analyze": st.one_of(analyze_strategies.analyze_requests(), analyses.analyze_requests()),
}
METHODS = list(REQUESTS)
GOOD = {
    "chains": ("stat", chains.stat_requests),
    "analyses": ("analyze", analyses.analyze_requests()),
    "lists": ("list", lists.list_requests()),
}
"""Requests that nothing is wrong with, by kind, with their method."""

# An example takes some 10 ms on an idle machine, twice that beside three busy processes.
pytestmark = pytest.mark.timeout(60 + 0.25 * settings().max_examples)


def oracles(scope: Scope) -> oracle.Scope:
    return oracle.Scope(scope.domain_id, scope.workspace_ids)


INSIDE = {scope: oracle.in_scope(JOBS, oracles(scope)) for scope in SCOPES}
"""The jobs that the oracle takes to be in each scope, picked once for all examples."""


def any_request(method: str) -> st.SearchStrategy[dict[str, Any]]:
    """Good requests, and as many with nonsense in them; of lists these alone, since nonsense
    gets few of them refused."""
    good = REQUESTS[method]
    mangled = nonsense.mangled(good, REQUEST_MESSAGES[method])
    return mangled if method == "list" else st.one_of(good, mangled)


@pytest.fixture(scope="module")
def server(database: Store) -> Iterator[LowerHalf]:
    with served(database) as lower:
        yield lower


@pytest.fixture(scope="module")
def lonely_servers(mongo_uri: str, database_name: str) -> Iterator[Callable[[Scope], LowerHalf]]:
    """For a scope, the lower half of a server whose database holds nothing outside of it."""
    servers: dict[Scope, LowerHalf] = {}
    with ExitStack() as opened:

        def lonely(scope: Scope) -> LowerHalf:
            if scope not in servers:
                store = opened.enter_context(Store(mongo_uri, f"{database_name}-{len(servers)}"))
                inside = [job for job in JOBS if is_inside(job, scope)]
                if inside:
                    store.jobs.insert_many(copy.deepcopy(inside))
                servers[scope] = opened.enter_context(LowerHalf(store, NOW))
            return servers[scope]

        yield lonely


def is_inside(job: dict[str, Any], scope: Scope) -> bool:
    return job.get("domain_id") == scope.domain_id and (
        not scope.workspace_ids or job.get("workspace_id") in scope.workspace_ids
    )


def expected(method: str, request: Message, scope: Scope) -> Any:
    plain = json_format.MessageToDict(request, preserving_proto_field_name=True)
    truth = {"list": oracle.list_jobs, "stat": oracle.stat, "analyze": oracle.analyze}[method]
    return truth(INSIDE[scope], plain, oracles(scope), NOW)


def difference(method: str, request: Message, scope: Scope, actual: dict[str, Any]) -> str | None:
    """What is wrong with an answer, or None; the oracle alone decides."""
    wanted = expected(method, request, scope)
    if not isinstance(wanted, oracle.ListAnswer):
        found: str | None = wanted.mismatch(actual)
        return found
    shown = {"results": wanted.jobs, "total_count": wanted.total_count}
    return None if actual == shown else f"{actual!r}, expected {shown!r}"


@pytest.mark.parametrize("method", METHODS)
def test_any_request_is_answered_rightly_or_refused(
    server: LowerHalf, lonely_servers: Callable[[Scope], LowerHalf], method: str
) -> None:
    """Three laws over the same requests, because drawing a request costs most of an example.

    A request is answered as the oracle says, or refused at a place of the request; what lies
    outside the scope makes no difference; pages of any size make up the whole.
    """
    met: Counter[str] = Counter()

    @law
    @given(any_request(method), scopes, st.integers(20, 90))
    def holds(request: dict[str, Any], scope: Scope, size: int) -> None:
        sent = message(method, request)
        answer = reply(server, method, sent, scope)
        assert same(method, answer, reply(lonely_servers(scope), method, sent, scope))
        if isinstance(answer, REFUSALS):
            met["refused"] += 1
            event(f"refused: {answer.code}")
            problems = () if isinstance(answer, QueryRefused) else answer.problems
            assert all(is_place(decode(sent), problem.path) for problem in problems), problems
            return
        assert pages_make_up_the_whole(server, method, sent, scope, size)
        try:
            wrong = difference(method, sent, scope, as_json(method, answer))
        except oracle.NotEvaluable:
            met["not evaluable"] += 1
            return
        met["right"] += 1
        assert wrong is None

    holds()
    assert met["refused"] > 0.1 * met.total(), met
    # A law about answers needs answers: of an analyze about half, give or take what Hypothesis
    # draws from the constants of whatever modules a process has loaded.
    assert met["right"] > 0.4 * met.total(), met


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_request_is_answered_wherever_there_is_an_answer(
    server: LowerHalf, kind: str
) -> None:
    method, requests = GOOD[kind]
    met: Counter[str] = Counter()

    @law
    @given(requests, st.just(Scope("domain-a")) | scopes)
    def holds(request: dict[str, Any], scope: Scope) -> None:
        sent = message(method, request)
        try:
            actual = server.answer(method, sent, scope)
        except REFUSALS:
            met["refused"] += 1
            with pytest.raises(oracle.NotEvaluable):
                expected(method, sent, scope)
            return
        try:
            wrong = difference(method, sent, scope, actual)
        except oracle.NotEvaluable:
            met["not evaluable"] += 1
            return
        met["right" if actual.get("results") else "right and empty"] += 1
        assert wrong is None

    holds()
    print(dict(met))  # noqa: T201
    assert met["right"] > 0.3 * met.total(), met


def pages_make_up_the_whole(
    server: LowerHalf, method: str, request: Message, scope: Scope, size: int
) -> bool:
    """Whether pages of that size, one after the other, are the answer without pages."""
    whole = page_of(server, method, request, scope)
    pages: list[Message] = []
    for start in range(1, len(whole) + 1, size):
        pages += page_of(server, method, request, scope, start=start, limit=size)
    return pages == whole or canonical(as_plain(pages)) == canonical(as_plain(whole))


def page_of(
    server: LowerHalf, method: str, request: Any, scope: Scope, **page: int
) -> list[Message]:
    """The rows of a page."""
    paged = type(request)()
    paged.CopyFrom(request)
    paged.query.page.CopyFrom(query_pb2.Page(**page))
    answer: Any = reply(server, method, paged, scope)
    if isinstance(answer, REFUSALS):
        return []
    if isinstance(answer, Struct):
        return [*answer.fields["results"].list_value.values]
    return [*answer.results]


def as_plain(rows: list[Message]) -> dict[int, Any]:
    """The rows by their places."""
    return {number: json_format.MessageToDict(row) for number, row in enumerate(rows)}

"""Laws of the query language, for any request, on the real database.

Every law is tried on 1 000 requests, the same ones each time; `--examples N` tries N others.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from inventory_job.errors import InvalidRequest, PermissionDenied, QueryRefused
from inventory_job.stubs.spaceone.api.core.v2 import query_pb2
from inventory_job.wire.decode import decode
from tests import oracle
from tests.support import analyses, analyze_strategies, chains, lists, nonsense, strategies
from tests.support.client import REQUESTS as REQUEST_MESSAGES
from tests.support.lower_half import LowerHalf, as_json, message
from tests.support.places import is_place
from tests.support.store import Store

NOW = datetime(2026, 3, 7, 13, 45, 12, 345000)
JOBS = oracle.many_jobs(rng_seed=1, count=300)
REFUSALS = (InvalidRequest, PermissionDenied, QueryRefused)
Reply = Message | InvalidRequest | PermissionDenied | QueryRefused
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

SCOPES = [
    Scope("domain-a"),
    Scope("domain-b", ("workspace-1",)),
    Scope("domain-a", ("workspace-2", "*")),
    Scope("domain-of-nobody"),
]
scopes = st.sampled_from(SCOPES)


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


def law(test: Callable[..., None]) -> Callable[..., None]:
    """A property, tried as often as the options say."""
    return settings(
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
        ],
    )(test)


@pytest.fixture(scope="module")
def server(database: Store) -> Iterator[LowerHalf]:
    """The lower half of a server over a few hundred varied jobs."""
    database.jobs.insert_many(copy.deepcopy(JOBS))
    with LowerHalf(database, NOW) as lower:
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


def reply(server: LowerHalf, method: str, request: Message, scope: Scope) -> Reply:
    """The answer or the refusal."""
    try:
        return server.sent(method, request, scope)
    except REFUSALS as error:
        return error


def same(method: str, one: Reply, other: Reply) -> bool:
    """Whether both are the same answer, but for the order of lists, or the same refusal."""
    return one == other or shown(method, one) == shown(method, other)


def shown(method: str, reply: Reply) -> str:
    """An answer, with lists in an order of their own, or what a refusal says."""
    return canonical(as_json(method, reply)) if isinstance(reply, Message) else str(reply)


def canonical(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{name!r}: {canonical(member)}" for name, member in sorted(value.items()))
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(sorted(map(canonical, value)))}]"
    return repr(value)


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


SPELLINGS = {"key": "k", "value": "v", "operator": "o", "name": "n"}
spellings = st.sampled_from([SPELLINGS, {short: long for long, short in SPELLINGS.items()}])


def respelled(
    value: Any, spell: dict[str, str], numbers: Callable[[int], Any] | None = None
) -> Any:
    """The same with members spelled by `spell`, operands of integer fields by `numbers`."""
    if isinstance(value, list):
        return [respelled(item, spell, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    said = value.get("key", value.get("k"))
    is_condition = said in strategies.INTEGERS and ("value" in value or "v" in value)
    members = {}
    for name, member in value.items():
        written = respelled(member, spell, numbers)
        if numbers and is_condition and name in ("value", "v"):
            written = renumbered(member, numbers)
        members[spell.get(name, name)] = written
    return members


def renumbered(value: Any, numbers: Callable[[int], Any]) -> Any:
    if isinstance(value, list):
        return [renumbered(item, numbers) for item in value]
    return value if value is None or isinstance(value, bool) else numbers(int(value))


@law
@given(
    strategies.list_requests,
    strategies.condition(),
    scopes,
    st.tuples(spellings, st.sampled_from([int, float, str])),
)
def test_conditions_mean_the_same_in_any_spelling_and_another_never_adds_jobs(
    server: LowerHalf,
    request: dict[str, Any],
    condition: dict[str, Any],
    scope: Scope,
    spelling: tuple[dict[str, str], Callable[[int], Any]],
) -> None:
    """Two laws over the same requests, as above."""
    query = request.get("query", {})
    other = {
        **query,
        **{
            name: respelled(query[name], *spelling)
            for name in ("filter", "filter_or")
            if name in query
        },
    }
    requests = [message("list", written) for written in (request, {**request, "query": other})]
    first, second = (reply(server, "list", each, scope) for each in requests)

    assert same("list", first, second)

    whole = {**query, "page": {}, "only": ["job_id"], "minimal": False}
    narrower = {**whole, "filter": [*query.get("filter", []), condition]}
    wide: Any = server.sent("list", message("list", {**request, "query": whole}), scope)
    narrow: Any = server.sent("list", message("list", {**request, "query": narrower}), scope)

    assert narrow.total_count <= wide.total_count
    assert {job.job_id for job in narrow.results} <= {job.job_id for job in wide.results}


@law
@given(
    strategies.aggregates(),
    scopes,
    spellings,
)
def test_spellings_of_stages_mean_the_same(
    server: LowerHalf, stages: list[dict[str, Any]], scope: Scope, spell: dict[str, str]
) -> None:
    other = [
        stage if "sort" in stage or "count" in stage else respelled(stage, spell)
        for stage in stages
    ]
    requests = [message("stat", {"query": {"aggregate": written}}) for written in (stages, other)]

    first, second = (reply(server, "stat", request, scope) for request in requests)

    assert same("stat", first, second) or (
        isinstance(first, REFUSALS)
        and isinstance(second, REFUSALS)
        and str(first).replace(".k ", ".key ") == str(second).replace(".k ", ".key ")
    )

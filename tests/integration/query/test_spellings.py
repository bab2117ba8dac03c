"""Laws of the spellings of a request, on the real database.

Every law is tried on 1 000 requests, the same ones each time; `--examples N` tries N others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from tests.support import strategies
from tests.support.laws import REFUSALS, law, reply, same, scopes, served
from tests.support.lower_half import LowerHalf, message
from tests.support.store import Store

# As in test_properties.py.
pytestmark = pytest.mark.timeout(60 + 0.25 * settings().max_examples)

SPELLINGS = {"key": "k", "value": "v", "operator": "o", "name": "n"}
spellings = st.sampled_from([SPELLINGS, {short: long for long, short in SPELLINGS.items()}])


@pytest.fixture(scope="module")
def server(database: Store) -> Iterator[LowerHalf]:
    with served(database) as lower:
        yield lower


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
    """Two laws over the same requests, because drawing a request costs most of an example."""
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

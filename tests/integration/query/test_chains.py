"""Stages one after the other on the real database, in one page and in several."""

from __future__ import annotations

from itertools import product
from typing import Any

import grpc
import pytest

from tests import oracle
from tests.cases import chains
from tests.cases.chains import ChainCase
from tests.support.client import Client, Tenant, tenants
from tests.support.store import Store

DOMAIN = "domain-of-six"

each_case = pytest.mark.parametrize("case", chains.CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def client(channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    return Client(channel, DOMAIN)


@pytest.fixture(scope="module")
def tenant(channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)


@each_case
def test_a_chain_gives(client: Client, case: ChainCase) -> None:
    answer = client.stat({"aggregate": case.aggregate})

    assert answer == {"results": case.rows, "total_count": len(case.rows)}


@each_case
def test_its_pages_have_the_same_rows_and_total(client: Client, case: ChainCase) -> None:
    for start in range(1, len(case.rows) + 3):
        answer = client.stat({"aggregate": case.aggregate, "page": {"start": start, "limit": 1}})

        assert answer == {
            "results": case.rows[start - 1 : start],
            "total_count": len(case.rows),
        }


PAIRS: dict[str, Any] = {"keys": [{"k": "status", "n": "a"}, {"k": "plugin_id", "n": "b"}]}
COUNT = {"fields": [{"o": "count", "n": "c"}]}
SUM = {"fields": [{"o": "sum", "k": "total_tasks", "n": "m"}]}


@pytest.mark.parametrize("page", [{}, {"limit": 5}], ids=str)
@pytest.mark.parametrize(
    ("aggregate", "rows"),
    [
        ([{"group": PAIRS}, {"count": {"name": "n"}}], [{"n": 24}]),
        ([{"group": PAIRS | COUNT}, {"count": {"name": "n"}}], [{"n": 24}]),
        (
            [{"group": PAIRS | SUM}, {"group": {"fields": [{"o": "sum", "k": "m", "n": "m"}]}}],
            [{"m": 300}],
        ),
        (
            [{"group": PAIRS | SUM}, {"group": {"keys": [{"k": "m", "n": "m"}]} | COUNT}],
            [{"m": m, "c": 1} for m in range(1, 25)],
        ),
    ],
    ids=["count", "count of counts", "sum of sums", "by the sum"],
)
def test_w14_groups_of_groups_have_their_rows_and_total(
    tenant: Tenant, aggregate: list[dict[str, Any]], rows: list[Any], page: dict[str, int]
) -> None:
    pairs = product(("SUCCESS", "FAILURE", "CANCELED", "IN_PROGRESS"), "uvwxyz")
    client = tenant(
        *(
            {"status": status, "plugin_id": plugin, "total_tasks": number}
            for number, (status, plugin) in enumerate(pairs, start=1)
        )
    )

    answer = client.stat({"aggregate": aggregate, "page": page})

    assert answer == {"results": rows[: page.get("limit")], "total_count": len(rows)}


@pytest.mark.parametrize(
    "between",
    [
        [],
        [{"sort": [{"key": "n", "desc": True}]}],
        [{"project": {"fields": [{"k": "plugins", "n": "plugins"}]}}],
        [{"limit": 2}],
    ],
    ids=["nothing", "a sort", "a project", "a limit"],
)
def test_pages_of_the_elements_of_sets_do_not_overlap(
    tenant: Tenant, between: list[dict[str, Any]]
) -> None:
    """MongoDB has the elements of a set in another order each time."""
    jobs = product(("CANCELED", "SUCCESS"), range(40))
    client = tenant(*({"status": s, "plugin_id": f"plugin-{n:02}"} for s, n in jobs))
    plugins = {"o": "add_to_set", "k": "plugin_id", "n": "plugins"}
    stages = [
        {"group": {"keys": [{"k": "status", "n": "s"}], "fields": [plugins, *COUNT["fields"]]}},
        *between,
        {"unwind": {"path": "plugins"}},
    ]

    pages = [client.rows(*stages, page={"start": 1 + n, "limit": 7}) for n in range(0, 80, 7)]
    first = client.rows(*stages, {"limit": 30})

    shown = [(row["s"], row["plugins"]) for page in pages for row in page]
    assert shown == [(s, f"plugin-{n:02}") for s, n in product(("CANCELED", "SUCCESS"), range(40))]
    assert [(row["s"], row["plugins"]) for row in first] == shown[:30]


def test_pages_of_the_elements_of_the_only_set_do_not_overlap(tenant: Tenant) -> None:
    client = tenant(*({"plugin_id": f"plugin-{n:02}"} for n in range(40)))
    plugins = {"o": "add_to_set", "k": "plugin_id", "n": "a"}
    stages: list[dict[str, Any]] = [
        {"group": {"fields": [plugins]}},
        {"sort": [{"key": "a"}]},
        {"unwind": {"path": "a"}},
    ]

    pages = [client.rows(*stages, page={"start": 1 + n, "limit": 7}) for n in range(0, 40, 7)]

    assert [row["a"] for page in pages for row in page] == [f"plugin-{n:02}" for n in range(40)]


@pytest.mark.parametrize("keys", [1, 2, 3])
@pytest.mark.parametrize("start", [1, 1500, 5000])
def test_the_total_of_more_rows_than_a_page_has_is_counted(
    channel: grpc.Channel, database: Store, keys: int, start: int
) -> None:
    domain = f"domain-of-{keys}-and-{start}"
    database.jobs.insert_many(
        {"domain_id": domain, "job_id": f"{domain} {n}", "status": f"{n}", "plugin_id": f"{n % 7}"}
        for n in range(2000)
    )
    names = ["status", "plugin_id", "collector_id"][:keys]
    pairs = {"group": {"keys": [{"key": name, "name": name} for name in names]}}
    again = {
        "group": {
            "keys": [{"key": name, "name": name} for name in names],
            "fields": [{"operator": "count", "name": "n"}],
        }
    }
    client = Client(channel, domain)

    answer = client.stat({"aggregate": [pairs, again, again], "page": {"start": start}})

    assert answer["total_count"] == 2000
    assert len(answer["results"]) == max(0, min(1000, 2001 - start))


@pytest.mark.parametrize("group_by", [["plugin_id", "status"], ["plugin_id", "status", "job_id"]])
def test_an_analyze_folded_and_sorted_by_a_total(client: Client, group_by: list[str]) -> None:
    query = {
        "group_by": group_by,
        "field_group": group_by[1:],
        "fields": {"n": {"operator": "count"}, "tasks": {"operator": "sum", "key": "total_tasks"}},
        "sort": [{"key": "tasks", "desc": True}],
    }

    rows = client.analyze(query)["results"]

    shown = [(row["plugin_id"], row["_total_n"], row["_total_tasks"]) for row in rows]
    assert shown == [("plugin-x", 5, 15), ("plugin-y", 1, 6)]

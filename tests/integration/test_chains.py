"""Stages one after the other on the real database, in one page and in several."""

from __future__ import annotations

import grpc
import pytest

from tests import oracle
from tests.cases import chains
from tests.cases.chains import ChainCase
from tests.integration.client import Client
from tests.store import Store

DOMAIN = "domain-of-six"

each_case = pytest.mark.parametrize("case", chains.CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def client(channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    return Client(channel, DOMAIN)


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

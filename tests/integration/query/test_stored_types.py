"""No value that is stored fails a call: every BSON type in every field of a job."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import grpc
import pytest
from bson import MaxKey, MinKey, ObjectId
from pydantic import SecretStr

from inventory_job.query.fields import SHOWN
from inventory_job.settings import Settings
from tests import oracle
from tests.oracle.values import sort_key
from tests.support.client import Client
from tests.support.store import Store
from tests.support.stored_values import VALUES, Deprecated, as_stored

FIELDS = [*SHOWN, "collector_info"]
SUMS = ["sum", "average", "max", "min", "first", "last", "push", "add_to_set"]
DATE_FORMATS = ["year", "month", "day", "%Y-%m-%d", "%G %V %u %j %L"]


@pytest.fixture(scope="module")
def settings(mongo_uri: str, database_name: str) -> Settings:
    """A server that makes no index: a unique one would keep some of these jobs out."""
    return Settings(
        port=0,
        mongo_uri=SecretStr(mongo_uri),
        mongo_database=database_name,
        create_indexes=False,
    )


def jobs_with(field: str, domain_id: str) -> Iterator[dict[str, Any]]:
    """A job for each value, and one without the field; all of the domain."""
    [usual, *_] = oracle.six_jobs(domain_id)
    without = {name: value for name, value in usual.items() if name != field}
    values: list[dict[str, Any]] = [{field: value} for value in VALUES.values()]
    if field == "domain_id":
        # MongoDB finds a list by what is in it.
        listed = [v for v in VALUES.values() if not isinstance(v, Deprecated)]
        values = [{field: [domain_id, value]} for value in listed]
    elif field != "job_id":
        values.append({})
    for number, held in enumerate(values):
        yield without | {"job_id": f"job-{field}-{number}", "_id": ObjectId()} | held


@pytest.fixture(scope="module", params=FIELDS)
def field(request: pytest.FixtureRequest) -> str:
    """The field that holds values of every type."""
    return str(request.param)


@pytest.fixture(scope="module")
def jobs(field: str) -> list[dict[str, Any]]:
    """Jobs that have a value of every type in the field."""
    return list(jobs_with(field, f"domain-{field}"))


@pytest.fixture(scope="module")
def client(channel: grpc.Channel, database: Store, field: str, jobs: list[Any]) -> Client:
    """A client of the domain that has these jobs alone."""
    database.jobs.insert_many(map(as_stored, jobs))
    return Client(channel, f"domain-{field}")


def test_get_shows_each_job(client: Client, jobs: list[Any]) -> None:
    ids = [job["job_id"] for job in jobs if type(job["job_id"]) is str and job["job_id"]]

    assert [client.call("get", {"job_id": job_id})["job_id"] for job_id in ids] == ids


def test_list_shows_all_in_any_order_and_any_part(
    client: Client, field: str, jobs: list[Any]
) -> None:
    sort_key = field if field in SHOWN else "status"
    queries: list[dict[str, Any]] = [
        {},
        {"minimal": True},
        {"only": [sort_key]},
        {"sort": [{"key": sort_key}]},
        {"sort": [{"key": sort_key, "desc": True}]},
        {"sort": [{"key": "x"}], "add_fields": {"x": f"${field}"}},
    ]
    for query in queries:
        page = client.list(query)

        assert page["total_count"] == len(page["results"]) == len(jobs), query
    assert client.list({"count_only": True})["total_count"] == len(jobs)


def test_stat_counts_each_job(client: Client, field: str, jobs: list[Any]) -> None:
    count = {"o": "count", "n": "n"}
    keys: list[dict[str, Any]] = [{"k": field, "n": "x"}]
    keys += [{"k": field, "n": "x", "date_format": written} for written in DATE_FORMATS]
    for key in keys:
        rows = client.rows({"group": {"keys": [key], "fields": [count]}})
        pairs = client.rows(
            {"group": {"keys": [key, {"k": "job_id", "n": "y"}], "fields": [count]}}
        )

        assert sum(row["n"] for row in rows) == len(jobs), key
        assert sum(row["n"] for row in pairs) == len(jobs), key


def test_stat_takes_every_value_together(client: Client, field: str, jobs: list[Any]) -> None:
    fields: list[dict[str, Any]] = [{"o": operator, "k": field, "n": operator} for operator in SUMS]
    pushed = {"o": "push", "fields": [{"k": field, "n": "x"}], "n": "pushed"}
    condition = {"k": field, "v": 1, "o": "gt"}

    [row] = client.rows({"group": {"fields": [*fields, pushed]}})
    [counted] = client.rows(
        {"group": {"fields": [{"o": "sum", "k": field, "n": "n", "conditions": [condition]}]}}
    )

    assert row.keys() == {*SUMS, "pushed"}
    assert counted.keys() == {"n"}
    assert len(row["pushed"]) == len(jobs)


def test_stat_shows_each_value_and_row(client: Client, field: str, jobs: list[Any]) -> None:
    distinct = client.stat({"distinct": field})
    raw = client.stat({"aggregate": [{"sort": [{"key": field}]}]})

    assert distinct["total_count"] == len(distinct["results"]) > 0
    assert raw["total_count"] == len(raw["results"]) == len(jobs)
    assert client.rows({"unwind": {"path": field}}, {"count": {"name": "n"}})


def test_analyze_takes_every_value(client: Client, field: str, jobs: list[Any]) -> None:
    fields: dict[str, Any] = {operator: {"operator": operator, "key": field} for operator in SUMS}
    fields["n"] = {"operator": "count"}
    fields["pushed"] = {"operator": "push", "fields": {"x": field}}
    keys = [{"key": field, "name": "x"}]
    queries: list[dict[str, Any]] = [
        {"group_by": keys, "fields": fields},
        {"group_by": keys, "fields": fields, "sort": [{"key": "x"}, {"key": "max", "desc": True}]},
        {"group_by": [*keys, "status"], "fields": fields, "field_group": ["x"]},
        {"group_by": keys, "fields": fields, "select": {"a": "x", "b": "push", "n": "n"}},
        {
            "group_by": ["added"],
            "fields": {"n": {"operator": "count"}},
            "add_fields": {"added": {"if": {"__gt": [f"${field}", 1]}, "then": "a", "else": "b"}},
        },
    ]
    for query in queries:
        rows = client.analyze(query)["results"]
        counts = [row.get("_total_n", row["n"]) for row in rows]

        assert sum(counts) == len(jobs), query


SORTED: list[Any] = [[2, 1], [], None, 1, [None, 3], MinKey(), MaxKey(), "a", [[0]], [MinKey(), 9]]


@pytest.fixture(scope="module")
def pairs(channel: grpc.Channel, database: Store) -> Client:
    """A client of a domain whose jobs have any two of these values, and none."""
    database.jobs.insert_many(pairs_of("domain-pairs"))
    return Client(channel, "domain-pairs")


def pairs_of(domain_id: str) -> list[dict[str, Any]]:
    values = [*product(SORTED, SORTED)]
    return [
        {"_id": ObjectId(f"{n:024x}"), "job_id": f"job-{n:012x}", "domain_id": domain_id}
        | {"plugin_id": one, "request_secret_id": other}
        for n, (one, other) in enumerate(values)
    ] + [{"_id": ObjectId(f"{len(values):024x}"), "job_id": "job-f", "domain_id": domain_id}]


@pytest.mark.parametrize(("down", "other_down"), [*product([False, True], repeat=2)])
@pytest.mark.parametrize("page", [{}, {"start": 40, "limit": 30}], ids=["all", "page"])
def test_jobs_are_sorted_by_two_fields_that_hold_lists(
    pairs: Client, down: bool, other_down: bool, page: dict[str, int]
) -> None:
    sort = [{"key": "plugin_id", "desc": down}, {"key": "request_secret_id", "desc": other_down}]
    jobs = pairs_of("domain-pairs")

    def place(job: dict[str, Any], key: dict[str, Any]) -> Any:
        return sort_key(job.get(key["key"]), key["desc"])

    for key in reversed(sort):
        jobs.sort(key=partial(place, key=key), reverse=bool(key["desc"]))
    start = page.get("start", 1) - 1
    wanted = [job["job_id"] for job in jobs][start : start + page.get("limit", 1000)]
    added = {"add_fields": {"x": "$plugin_id"}, "sort": [{"key": "x", "desc": down}, sort[1]]}
    stages: list[Any] = [{"sort": sort}, {"project": {"fields": [{"n": "id", "k": "job_id"}]}}]

    answer = pairs.list({"sort": sort, "page": page})

    assert [job["job_id"] for job in answer["results"]] == wanted
    assert answer["total_count"] == len(jobs)
    assert [job["job_id"] for job in pairs.list(added | {"page": page})["results"]] == wanted
    assert [row["id"] for row in pairs.rows(*stages, page=page)] == wanted


def test_groups_are_sorted_by_two_keys_that_are_lists(pairs: Client) -> None:
    keys = [{"k": "plugin_id", "n": "a"}, {"k": "request_secret_id", "n": "b"}]
    group = {"group": {"keys": keys, "fields": [{"o": "count", "n": "n"}]}}
    both = [{"key": "a"}, {"key": "b", "desc": True}]
    names = [{"key": "plugin_id", "name": "a"}, {"key": "request_secret_id", "name": "b"}]
    query = {"group_by": names, "fields": {"n": {"operator": "count"}}, "sort": both}
    folding = {"field_group": ["a", "b"], "select": {"a": "a", "b": "b", "n": "n"}, "sort": []}

    rows = pairs.rows(group, {"sort": both})
    analyzed = pairs.analyze(query)["results"]
    [folded] = pairs.analyze(query | folding)["results"]

    assert rows == analyzed
    assert sum(row["n"] for row in rows) == folded["_total_n"] == len(pairs_of(""))
    assert len(folded["n"]) == len(rows)

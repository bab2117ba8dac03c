"""Every row of what the reference answers wrongly, or at too high a cost, by its number.

S1 is in test_other_tenants.py, S2 to S5 are in test_injections.py, S7 is in test_time_limits.py,
bad requests are in test_bad_requests.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import grpc
import pytest
from bson import Binary, Code, CodecOptions, DBRef, Decimal128, Int64, ObjectId, encode
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from tests import oracle
from tests.support.client import Client, Recorder, Tenant, tenants
from tests.support.store import Store

DOMAIN = "domain-of-six"
COUNT = {"o": "count", "n": "n"}
DAYS = [datetime(2026, 3, day, 1, 2, 3, 456000) for day in (3, 1, 2)]
WRITTEN = [f"2026-03-0{day}T01:02:03.456Z" for day in (1, 2, 3)]


@pytest.fixture(scope="module")
def client(recorder: Recorder, channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    return Client(channel, DOMAIN)


@pytest.fixture(scope="module")
def tenant(client: Client, channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)


def kinds(commands: list[dict[str, Any]]) -> list[str]:
    """The names of commands."""
    return [next(iter(command)) for command in commands]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ({"group": {"fields": [{"o": "max", "k": "created_at", "n": "x"}]}}, WRITTEN[2:]),
        ({"group": {"keys": [{"k": "created_at", "n": "x"}]}}, WRITTEN),
        ({"sort": [{"key": "created_at"}]}, WRITTEN),
        ({"limit": 1}, WRITTEN[2:]),
        ({"group": {"fields": [{"o": "push", "k": "created_at", "n": "x"}]}}, None),
    ],
    ids=["max", "group key", "raw rows", "limit", "push"],
)
def test_w1_dates_in_results_are_text(tenant: Tenant, query: dict[str, Any], values: Any) -> None:
    client = tenant(*({"created_at": day} for day in DAYS))

    rows = client.rows(query)

    found = [row.get("x", row.get("created_at")) for row in rows]
    assert sorted(found[0]) == WRITTEN if values is None else found == values


def test_w1_distinct_dates_are_text(tenant: Tenant) -> None:
    client = tenant(*({"finished_at": day} for day in [*DAYS, None]))

    assert client.stat({"distinct": "finished_at"})["results"] == [None, *WRITTEN]


def test_w1_dates_in_an_analyze_are_text(tenant: Tenant) -> None:
    client = tenant(*({"created_at": day} for day in DAYS))
    fields = {"last": {"operator": "max", "key": "created_at"}}

    rows = client.analyze({"group_by": ["created_at"], "fields": fields})["results"]

    assert rows == [{"created_at": written, "last": written} for written in WRITTEN]


def test_w2_statuses_of_older_data_do_not_fail_a_page(tenant: Tenant) -> None:
    stored = ["ERROR", "TIMEOUT", "PENDING", "", None, 3, "SUCCESS"]
    client = tenant(*({"status": status} for status in stored), {})

    answer = client.list({"sort": [{"key": "job_id"}]})

    assert [job["status"] for job in answer["results"]] == [
        "FAILURE", "FAILURE", "NONE", "NONE", "IN_PROGRESS", "NONE", "SUCCESS", "IN_PROGRESS",
    ]  # fmt: skip


def test_w3_stored_fields_that_a_job_has_not_are_ignored(tenant: Tenant) -> None:
    client = tenant(
        {"filter": {"region": ["kr"]}, "collector_info": {"name": "x"}, "project_id": "project-1"}
    )

    assert client.numbers() == [1]
    assert client.call("get", {"job_id": "job-000000000001"})["job_id"] == "job-000000000001"


def test_w4_values_of_other_types_do_not_fail_a_page(tenant: Tenant) -> None:
    client = tenant(
        {
            "total_tasks": Int64(2**40),
            "remained_tasks": -3,
            "success_tasks": 2.9,
            "failure_tasks": "many",
            "created_at": "2022-06-17 08:00:01",
            "workspace_id": 12,
            "plugin_id": {"name": "x"},
            "resource_group": "PROJECT",
        }
    )

    [job] = client.list()["results"]

    assert {name: value for name, value in job.items() if value} == {
        "job_id": "job-000000000001",
        "domain_id": client.domain_id,
        "status": "IN_PROGRESS",
        "total_tasks": 2**31 - 1,
        "remained_tasks": -3,
        "success_tasks": 2,
        "created_at": "2022-06-17 08:00:01",
        "workspace_id": "12",
        "plugin_id": '{"name": "x"}',
        "resource_group": "RESOURCE_GROUP_NONE",
    }


def odd_documents(domain_id: str) -> list[RawBSONDocument]:
    """Jobs as no driver of today would write them."""
    broken, job = b"\xff\xfe", {"job_id": "job-1", "domain_id": domain_id}
    return [
        RawBSONDocument(encode({"_id": ObjectId(), **job, **odd}).replace(b"@@", broken))
        for odd in (
            {"plugin_id": "@@"},
            {"status": "@@"},
            {"@@": 1},
            {"workspace_id": Binary(b"abc", 4)},
            {"created_at": DatetimeMS(2**63 - 1), "finished_at": DatetimeMS(-(2**63))},
            {"total_tasks": Decimal128("sNaN"), "failure_tasks": Decimal128("1E+6000")},
            {"collector_id": DBRef("collector", 1), "plugin_id": Code("f()", {"x": 1})},
        )
    ]


def test_w4_no_stored_value_fails_a_call(client: Client, database: Store) -> None:
    domain_id = "domain-of-oddities"
    raw = database.jobs.with_options(CodecOptions(document_class=RawBSONDocument))
    raw.insert_many(odd_documents(domain_id))
    odd = Client(client.channel, domain_id)
    fields = ("plugin_id", "status", "workspace_id", "created_at", "total_tasks", "collector_id")

    assert len(odd.list()["results"]) == 7
    assert len(odd.rows({"limit": 10})) == 7
    for field in fields:
        assert odd.stat({"distinct": field})["results"]
        by_field = {"group_by": [field], "fields": {"n": {"operator": "count"}}}
        assert odd.analyze(by_field)["results"]


def test_w5_a_status_that_is_not_asked_for_is_unset(client: Client) -> None:
    query = {"only": ["job_id"], "sort": [{"key": "job_id"}]}

    assert [job["status"] for job in client.list(query)["results"]] == ["NONE"] * 6


def test_w6_conditions_with_not_count_what_differs(client: Client) -> None:
    condition = {"k": "status", "o": "not", "v": "SUCCESS"}

    assert client.rows({"group": {"fields": [{**COUNT, "conditions": [condition]}]}}) == [{"n": 2}]


def test_w7_contain_in_an_empty_list_finds_nothing(client: Client) -> None:
    assert client.numbers({"filter": [{"k": "status", "o": "contain_in", "v": []}]}) == []


def test_w8_not_contain_in_means_none_of_the_words(client: Client) -> None:
    condition = {"k": "status", "o": "not_contain_in", "v": ["fail", "prog"]}

    assert set(client.numbers({"filter": [condition]})) == {1, 4, 5, 6}


def test_w9_a_division_by_zero_is_null_for_that_row(tenant: Tenant) -> None:
    client = tenant({"total_tasks": 0, "success_tasks": 0}, {"total_tasks": 4, "success_tasks": 1})
    query = {
        "group_by": ["job_id"],
        "fields": {
            name: {"operator": "sum", "key": f"{name}_tasks"} for name in ("total", "success")
        },
        "select": {"rate": {"operator": "divide", "fields": ["success", "total"]}},
    }

    assert client.analyze(query)["results"] == [{"rate": None}, {"rate": 0.25}]


def test_w10_a_list_with_unwind_and_added_fields_works(client: Client) -> None:
    left = {"if": {"__gt": ["$remained_tasks", 0]}, "then": 0, "else": 1}
    query = {
        "unwind": {"path": "status", "filter": [{"k": "status", "o": "eq", "v": "SUCCESS"}]},
        "add_fields": {"left": left},
        "sort": [{"key": "left"}, {"key": "created_at"}],
    }

    assert client.numbers(query) == [1, 4, 5, 6]


@pytest.mark.parametrize(
    ("group", "path"),
    [
        ({"fields": [COUNT, {"o": "sum", "k": "total_tasks", "n": "n"}]}, "fields[1]"),
        ({"keys": [{"k": "status", "n": "x"}, {"k": "plugin_id", "n": "x"}]}, "keys[1]"),
        ({"keys": [{"k": "status", "n": "n"}], "fields": [COUNT]}, "fields[0]"),
    ],
    ids=["fields", "keys", "key and field"],
)
def test_w11_two_equal_names_in_a_group_are_refused(
    client: Client, group: dict[str, Any], path: str
) -> None:
    refusal = client.refused("stat", {"query": {"aggregate": [{"group": group}]}})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.paths == [f"query.aggregate[0].group.{path}"]


def test_w12_groups_without_a_sort_are_in_the_order_of_their_keys(tenant: Tenant) -> None:
    client = tenant(*({"total_tasks": n * 37 % 101, "status": "x"} for n in range(101)))
    keys = [{"k": "total_tasks", "n": "n"}]
    analyze = {"group_by": ["total_tasks"], "fields": {"x": {"operator": "count"}}}

    rows = client.rows({"group": {"keys": keys, "fields": [{"o": "count", "n": "x"}]}})

    assert rows == [{"n": n, "x": 1} for n in range(101)]
    assert [row["total_tasks"] for row in client.analyze(analyze)["results"]] == [*range(101)]


def test_w12_pages_of_groups_do_not_overlap(tenant: Tenant) -> None:
    client = tenant(*({"total_tasks": n * 37 % 101} for n in range(101)))
    group = {"group": {"keys": [{"k": "total_tasks", "n": "n"}]}}
    analyze = {"group_by": ["total_tasks"], "fields": {"x": {"operator": "count"}}}
    pages = [{"start": start, "limit": 10} for start in range(1, 102, 10)]

    rows = [row["n"] for page in pages for row in client.rows(group, page=page)]
    analyzed = [client.analyze(analyze | {"page": page})["results"] for page in pages]

    assert rows == [*range(101)]
    assert [row["total_tasks"] for page in analyzed for row in page] == [*range(101)]


def test_s6_a_refusal_of_the_database_says_nothing_of_the_driver(client: Client) -> None:
    size = {"project": {"fields": [{"k": "status", "n": "x", "o": "size"}]}}

    refusal = client.refused("stat", {"query": {"aggregate": [size]}})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.details == (
        "ERROR_DB_QUERY: Database query failed. "
        "(reason = size was given a value that is not a list)"
    )
    assert refusal.violations == ()


def test_s6_an_unknown_refusal_is_named_by_its_number(client: Client) -> None:
    group = {"group": {"fields": [{"o": "push", "k": "status", "n": "x"}]}}
    project = {"project": {"fields": [{"k": "x", "n": "x", "o": "array_to_object"}]}}

    refusal = client.refused("stat", {"query": {"aggregate": [group, project]}})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    for internal in ("clusterTime", "errmsg", "127.0.0.1", "PlanExecutor", "$arrayToObject"):
        assert internal not in refusal.details


def test_c1_a_get_asks_once(client: Client, recorder: Recorder) -> None:
    with recorder.recording() as commands:
        client.call("get", {"job_id": "job-000000000003"})

    assert kinds(commands) == ["find"]
    assert commands[0]["filter"] == {"domain_id": DOMAIN, "$and": [{"job_id": "job-000000000003"}]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["find"]),
        ({"page": {"limit": 7}}, ["find"]),
        ({"page": {"start": 3, "limit": 5}}, ["find"]),
        ({"page": {"limit": 3}}, ["find", "aggregate"]),
        ({"page": {"start": 9}}, ["find", "aggregate"]),
        ({"count_only": True}, ["aggregate"]),
    ],
    ids=str,
)
def test_c2_a_list_counts_only_where_the_page_does_not_prove_the_total(
    client: Client, recorder: Recorder, query: dict[str, Any], expected: list[str]
) -> None:
    with recorder.recording() as commands:
        answer = client.list(query)

    assert kinds(commands) == expected
    assert answer["total_count"] == 6


def test_c2_a_list_reads_only_what_it_shows(client: Client, recorder: Recorder) -> None:
    with recorder.recording() as commands:
        client.list({"minimal": True, "sort": [{"key": "plugin_id"}]})

    [found] = [command for command in commands if "find" in command]
    assert found["projection"] == {
        "_id": 0,
        "job_id": 1,
        "status": 1,
        "created_at": 1,
        "finished_at": 1,
    }


@pytest.mark.parametrize("page", [{}, {"limit": 2}, {"start": 2, "limit": 1}], ids=str)
def test_c3_a_stat_with_paging_runs_once(
    client: Client, recorder: Recorder, page: dict[str, int]
) -> None:
    with recorder.recording() as commands:
        answer = client.stat(
            {"aggregate": [{"group": {"keys": [{"k": "status", "n": "s"}]}}], "page": page}
        )

    assert kinds(commands) == ["aggregate"]
    assert answer["total_count"] == 3


def test_c3_a_distinct_asks_once(client: Client, recorder: Recorder) -> None:
    with recorder.recording() as commands:
        client.stat({"distinct": "status", "page": {"start": 2, "limit": 1}})

    assert kinds(commands) == ["distinct"]


def test_an_analyze_asks_once(client: Client, recorder: Recorder) -> None:
    query = {"group_by": ["status"], "fields": {"n": {"operator": "count"}}, "page": {"limit": 2}}

    with recorder.recording() as commands:
        assert client.analyze(query)["more"] is True

    assert kinds(commands) == ["aggregate"]

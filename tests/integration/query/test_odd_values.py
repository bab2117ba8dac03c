"""Values of every BSON type in every field of a job: no call and no page fails for them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import grpc
import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.datetime_ms import DatetimeMS

from inventory_job.query.fields import SHOWN
from tests.support.client import Client, Tenant, tenants
from tests.support.store import Store

VALUES: dict[str, Any] = {
    "null": None,
    "empty text": "",
    "text": "what",
    "text of a date": "2026-03-04",
    "true": True,
    "int": -7,
    "long": Int64(2**62),
    "double": 1.5,
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "decimal": Decimal128("1.5"),
    "decimal NaN": Decimal128("NaN"),
    "decimal infinity": Decimal128("-Infinity"),
    "large decimal": Decimal128("9E+6000"),
    "date": datetime(2026, 3, 4),
    "date before the year 0": DatetimeMS(-100_000_000_000_000),
    "date after the year 9999": DatetimeMS(300_000_000_000_000),
    "last date": DatetimeMS(2**63 - 1),
    "ObjectId": ObjectId(),
    "binary": Binary(b"\x00\xff"),
    "UUID": Binary.from_uuid(uuid.UUID(int=7)),
    "UUID of a wrong length": Binary(b"\x01", 4),
    "old UUID": Binary(b"\x01" * 16, 3),
    "code": Code("SUCCESS"),
    "code with scope": Code("f()", {"x": 1}),
    "regex": Regex("a(", "i"),
    "timestamp": Timestamp(1, 2),
    "min key": MinKey(),
    "max key": MaxKey(),
    "reference": DBRef("job", ObjectId()),
    "document": {"a": {"b": [1, None]}},
    "empty document": {},
    "list": [1, "a", {"b": 2}],
    "empty list": [],
}
FIELDS = [name for name in SHOWN if name not in ("job_id", "domain_id")]
COUNT = {"o": "count", "n": "jobs"}


@pytest.fixture(scope="module")
def tenant(channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)


@pytest.fixture(scope="module")
def client(tenant: Tenant) -> Client:
    """A client of a domain with a job for each field and value."""
    return tenant(*({field: value} for field in FIELDS for value in VALUES.values()))


def test_a_list_shows_all_jobs(client: Client) -> None:
    answer = client.list({"sort": [{"key": "job_id"}]})

    assert len(answer["results"]) == answer["total_count"] == len(FIELDS) * len(VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_a_get_shows_a_job_with_one_value_in_all_fields(tenant: Tenant, name: str) -> None:
    client = tenant(dict.fromkeys(FIELDS, VALUES[name]))

    assert client.call("get", {"job_id": "job-000000000001"})["job_id"] == "job-000000000001"


@pytest.mark.parametrize("field", FIELDS)
def test_stats_of_a_field_and_its_values_do_not_fail(client: Client, field: str) -> None:
    key = {"k": field, "n": "value"}

    rows = client.rows({"group": {"keys": [key], "fields": [COUNT]}})
    values = client.stat({"distinct": field})
    pushed = client.rows({"group": {"fields": [{"o": "push", "n": "all", "fields": [key]}]}})
    analyzed = client.analyze({"group_by": [field], "fields": {"n": {"operator": "count"}}})

    assert sum(row["jobs"] for row in rows) == len(FIELDS) * len(VALUES)
    assert len(values["results"]) > 20
    assert len(pushed[0]["all"]) == len(FIELDS) * len(VALUES)
    assert len(analyzed["results"]) == len(rows)


@pytest.mark.parametrize("date_format", ["year", "month", "day", "%Y-%m-%d", "%H:%M"])
def test_w16_what_is_no_date_counts_under_null(tenant: Tenant, date_format: str) -> None:
    odd = [value for name, value in VALUES.items() if name not in ("date", "ObjectId", "timestamp")]
    client = tenant(*({"finished_at": value} for value in odd), {"finished_at": VALUES["date"]}, {})
    key = {"k": "finished_at", "n": "at", "date_format": date_format}

    rows = client.rows({"group": {"keys": [key], "fields": [COUNT]}})

    shown = {"year": 2026, "month": 3, "day": 4, "%Y-%m-%d": "2026-03-04", "%H:%M": "00:00"}
    assert rows == [
        {"at": None, "jobs": len(odd) + 1},
        {"at": shown[date_format], "jobs": 1},
    ]


def test_push_writes_null_for_what_is_absent(tenant: Tenant) -> None:
    client = tenant({"plugin_id": "plugin-1"}, {})
    fields = [{"k": "plugin_id", "n": "plugin"}, {"k": "finished_at", "n": "at"}]

    [row] = client.rows({"group": {"fields": [{"o": "push", "n": "all", "fields": fields}]}})

    assert row["all"] == [{"plugin": "plugin-1", "at": None}, {"plugin": None, "at": None}]


def test_a_lists_unwind_filter_drops_jobs(tenant: Tenant) -> None:
    client = tenant(*({"total_tasks": n, "status": "SUCCESS"} for n in range(1, 6)), {})
    unwind = {"path": "total_tasks", "filter": [{"k": "total_tasks", "o": "not", "v": 3}]}

    page = client.list({"unwind": unwind, "page": {"limit": 2}, "sort": [{"key": "job_id"}]})

    assert [job["total_tasks"] for job in page["results"]] == [1, 2]
    assert page["total_count"] == 4
    assert client.list({"unwind": unwind, "count_only": True})["total_count"] == 4
    assert client.list({"unwind": {"path": "total_tasks"}})["total_count"] == 6


def test_w13_a_list_by_id_goes_down(tenant: Tenant) -> None:
    client = tenant(*({} for _ in range(4)))

    assert client.numbers({"sort": [{"key": "id", "desc": True}]}) == [4, 3, 2, 1]
    assert client.numbers({"sort": [{"key": "id"}]}) == [1, 2, 3, 4]


@pytest.mark.parametrize("only", [[], ["job_id"]])
def test_w15_a_sort_key_that_is_no_field_is_refused(client: Client, only: list[str]) -> None:
    refusal = client.refused("list", {"query": {"sort": [{"key": "statsu"}], "only": only}})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.paths == ["query.sort[0].key"]
    assert "there is no 'statsu' to sort by; did you mean status" in refusal.details


def test_a_sort_key_may_be_an_added_field(client: Client) -> None:
    query = {"add_fields": {"x": 1}, "sort": [{"key": "x"}], "page": {"limit": 1}}

    assert len(client.list(query)["results"]) == 1

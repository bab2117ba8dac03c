"""Documents as JobInfo, rows as Struct."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from inventory_job.query.fields import MINIMAL, SHOWN
from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2 import JobInfo
from inventory_job.wire.encode import (
    analyze_result,
    distinct_result,
    flatten,
    job_info,
    jobs_info,
    stat_result,
)

MOMENT = datetime(2026, 3, 4, 1, 2, 3, 456000)


def shown(document: dict[str, Any], fields: tuple[str, ...] = SHOWN) -> JobInfo:
    return job_info(document, fields)[0]


def test_every_field_has_its_place() -> None:
    document = {
        "job_id": "job-1",
        "status": "SUCCESS",
        "total_tasks": 1,
        "remained_tasks": -2,
        "success_tasks": 3,
        "failure_tasks": 4,
        "request_secret_id": "secret-1",
        "request_workspace_id": "workspace-1",
        "resource_group": "DOMAIN",
        "domain_id": "domain-1",
        "workspace_id": "*",
        "collector_id": "collector-1",
        "plugin_id": "plugin-1",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "finished_at": MOMENT,
    }
    message, oddities = job_info(document, SHOWN)

    written = "2026-03-04T01:02:03.456Z"
    assert message == JobInfo(
        **document | {name: written for name in document if name.endswith("_at")}  # type: ignore[arg-type]
    )
    assert set(document) == set(SHOWN) == set(JobInfo.DESCRIPTOR.fields_by_name)
    assert not oddities


@pytest.mark.parametrize("document", [{}, dict.fromkeys(SHOWN)], ids=["absent", "null"])
def test_absent_and_null_are_unset(document: dict[str, Any]) -> None:
    assert [name.name for name, _ in shown(document | {"status": "x"}).ListFields()] == []


@pytest.mark.parametrize(
    ("stored", "status"),
    [
        ("CANCELED", JobInfo.CANCELED),
        ("IN_PROGRESS", JobInfo.IN_PROGRESS),
        ("FAILURE", JobInfo.FAILURE),
        ("SUCCESS", JobInfo.SUCCESS),
        ("ERROR", JobInfo.FAILURE),
        ("TIMEOUT", JobInfo.FAILURE),
        ("NONE", JobInfo.NONE),
        ("success", JobInfo.NONE),
        ("PENDING", JobInfo.NONE),
        ("", JobInfo.NONE),
        (None, JobInfo.IN_PROGRESS),
        (Code("SUCCESS"), JobInfo.SUCCESS),
        (Code("what"), JobInfo.NONE),
        (3, JobInfo.NONE),
        (["SUCCESS"], JobInfo.NONE),
    ],
)
def test_a_status_is_that_of_its_name(stored: Any, status: JobInfo.Status.ValueType) -> None:
    assert shown({"status": stored}).status == status


def test_an_absent_status_is_in_progress_where_the_status_is_shown() -> None:
    assert shown({}).status == JobInfo.IN_PROGRESS
    assert shown({}, MINIMAL).status == JobInfo.IN_PROGRESS
    assert shown({}, ("job_id",)).status == JobInfo.NONE


@pytest.mark.parametrize(
    ("stored", "resource_group"),
    [
        ("DOMAIN", JobInfo.DOMAIN),
        ("WORKSPACE", JobInfo.WORKSPACE),
        ("PROJECT", JobInfo.RESOURCE_GROUP_NONE),
        (2, JobInfo.RESOURCE_GROUP_NONE),
    ],
)
def test_a_resource_group_is_that_of_its_name(
    stored: Any, resource_group: JobInfo.ResourceGroup.ValueType
) -> None:
    assert shown({"resource_group": stored}).resource_group == resource_group


@pytest.mark.parametrize(
    ("stored", "number"),
    [
        (7.0, 7),
        (Decimal128("7"), 7),
        (Int64(2**31 - 1), 2**31 - 1),
        (-(2**31), -(2**31)),
    ],
)
def test_whole_numbers_of_any_type_are_shown(stored: Any, number: int) -> None:
    message, oddities = job_info({"total_tasks": stored}, SHOWN)

    assert message.total_tasks == number
    assert not oddities


@pytest.mark.parametrize(
    ("stored", "number"),
    [
        (2**31, 2**31 - 1),
        (-(2**31) - 1, -(2**31)),
        (Int64(2**63 - 1), 2**31 - 1),
        (2.9, 2),
        (-2.9, -2),
        (1e300, 2**31 - 1),
        (float("inf"), 2**31 - 1),
        (float("-inf"), -(2**31)),
        (float("nan"), 0),
        (Decimal128("2.9"), 2),
        (Decimal128("1E+6000"), 2**31 - 1),
        (Decimal128("-1E+6000"), -(2**31)),
        (Decimal128("NaN"), 0),
        (Decimal128("sNaN"), 0),
        (Decimal128("-Infinity"), -(2**31)),
        ("12", 0),
        (True, 0),
        ([1], 0),
        ({}, 0),
        (MOMENT, 0),
        (ObjectId("0123456789abcdef01234567"), 0),
    ],
    ids=repr,
)
def test_other_numbers_are_clamped_and_noted(stored: Any, number: int) -> None:
    message, oddities = job_info({"total_tasks": stored}, SHOWN)

    assert message.total_tasks == number
    assert oddities == {"total_tasks": 1}


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        (12, "12"),
        (12.0, "12"),
        (2.5, "2.5"),
        (True, "true"),
        (MOMENT, "2026-03-04T01:02:03.456Z"),
        (ObjectId("0123456789abcdef01234567"), "0123456789abcdef01234567"),
        ({"name": "ä", "n": [1, None]}, '{"name": "ä", "n": [1.0, null]}'),
        (b"\x00\xff", "AP8="),
        (Binary(bytes(16), 4), "AAAAAAAAAAAAAAAAAAAAAA=="),
    ],
    ids=repr,
)
def test_a_value_that_is_not_text_is_shown_as_text_and_noted(stored: Any, written: str) -> None:
    message, oddities = job_info({"workspace_id": stored}, SHOWN)

    assert message.workspace_id == written
    assert oddities == {"workspace_id": 1}


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("2022-06-17", "2022-06-17"),
        ("soon", "soon"),
        (12, "12"),
        (DatetimeMS(253402300800000), "+010000-01-01T00:00:00.000Z"),
    ],
)
def test_a_date_that_is_none_is_shown_as_text_and_noted(stored: Any, written: str) -> None:
    message, oddities = job_info({"created_at": stored}, SHOWN)

    assert message.created_at == written
    assert oddities == {"created_at": 1}


def test_other_stored_fields_are_ignored() -> None:
    document = {"_id": ObjectId(), "job_id": "job-1", "filter": {"x": 1}, "collector_info": {}}

    message, oddities = job_info(document, ("job_id",))

    assert message == JobInfo(job_id="job-1")
    assert not oddities


def test_oddities_of_a_page_are_counted_by_field() -> None:
    documents: list[dict[str, Any]] = [
        {"total_tasks": "x", "created_at": 1},
        {"total_tasks": 2.5},
        {"total_tasks": 2},
    ]

    _, oddities = jobs_info(documents, 3, SHOWN)

    assert oddities == {"total_tasks": 2, "created_at": 1}


@pytest.mark.parametrize(
    ("total", "total_count"), [(3, 3), (2**31 - 1, 2**31 - 1), (2**31, 2**31 - 1)]
)
def test_the_total_stops_at_what_an_int32_holds(total: int, total_count: int) -> None:
    assert jobs_info([], total, SHOWN)[0].total_count == total_count


@pytest.mark.parametrize(
    ("row", "flat"),
    [
        ({"_id": {"a": 1, "b": 2}, "n": 3}, {"a": 1, "b": 2, "n": 3}),
        ({"_id": {"a": 1, "n": 2}, "n": 3}, {"a": 1, "n": 3}),
        ({"_id": {}, "n": 3}, {"n": 3}),
        ({"_id": {"_id": 1}, "n": 3}, {"_id": 1, "n": 3}),
        ({"_id": 1, "n": 3}, {"_id": 1, "n": 3}),
        ({"_id": None, "n": 3}, {"_id": None, "n": 3}),
        ({"n": 3}, {"n": 3}),
    ],
    ids=str,
)
def test_the_members_of_an_id_become_members_of_the_row(
    row: dict[str, Any], flat: dict[str, Any]
) -> None:
    assert flatten(row) == flat


def test_results_have_their_members() -> None:
    assert stat_result([{"_id": {"a": 1}}], 5) == {"results": [{"a": 1}], "total_count": 5}
    assert distinct_result([{"values": [None, "x"]}], 2) == {
        "results": [None, "x"],
        "total_count": 2,
    }
    assert analyze_result([], more=True) == {"results": [], "more": True}

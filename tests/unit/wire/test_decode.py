"""Messages as plain dictionaries."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Value

from inventory_job.stubs.spaceone.api.core.v2.query_pb2 import Filter
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.wire.decode import decode
from tests.support.lower_half import message


def test_only_what_is_given_is_there() -> None:
    assert decode(job_pb2.JobsQuery()) == {}
    assert decode(message("list", {"query": {"page": {"limit": 3}}})) == {
        "query": {"page": {"limit": 3}}
    }


def test_a_member_of_a_oneof_is_given_even_at_its_default() -> None:
    stages: list[dict[str, Any]] = [{"skip": 0}, {"limit": 0}, {}]
    condition = {"k": "", "v": None, "o": ""}

    assert decode(message("stat", {"query": {"aggregate": stages, "filter": [condition]}})) == {
        "query": {"aggregate": stages, "filter": [condition]}
    }


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        (3.0, 3),
        (-0.0, 0),
        (2.5, 2.5),
        (2.0**53 + 2, 2**53 + 2),
        (-(2.0**63), -(2**63)),
        (2.0**63, 2.0**63),
        (1e300, 1e300),
        (float("inf"), float("inf")),
    ],
)
def test_whole_numbers_of_64_bits_are_integers(number: float, plain: float) -> None:
    decoded = decode(Filter(value=Value(number_value=number)))["value"]

    assert decoded == plain
    assert type(decoded) is type(plain)


def test_not_a_number_stays_one() -> None:
    decoded = decode(Filter(value=Value(number_value=float("nan"))))["value"]

    assert decoded != decoded  # noqa: PLR0124  nothing else is not itself


@pytest.mark.parametrize(
    "value",
    [None, True, False, "text", "", [], {}, [1, [None, {"a": [2.5]}]], {"$ne": {"": [None]}}],
    ids=repr,
)
def test_values_keep_their_shape(value: Any) -> None:
    decoded = decode(message("list", {"query": {"filter": [{"value": value}]}}))

    assert decoded["query"]["filter"][0]["value"] == value


def test_a_value_without_a_kind_is_null() -> None:
    assert decode(Filter(value=Value())) == {"value": None}


def test_an_enum_is_its_name_and_a_number_without_one_stays() -> None:
    assert decode(job_pb2.JobsQuery(status=job_pb2.JobsQuery.FAILURE)) == {"status": "FAILURE"}
    unknown = job_pb2.JobsQuery.FromString(b"\x18\x63")
    assert decode(unknown) == {"status": 99}


def test_lists_and_structs_are_lists_and_dictionaries() -> None:
    query = {
        "group_by": ["status", {"key": "a", "name": "b"}],
        "fields": {"n": {"operator": "count"}},
        "field_group": ["status"],
    }

    assert decode(message("analyze", {"query": query})) == {"query": query}

"""Bytes of requests → messages: how many values they may have, before protobuf makes them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory_job.errors import InvalidRequest
from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2 import JobAnalyzeQuery, JobsQuery
from inventory_job.wire.parse import bounded
from tests.support.nonsense import anything


def sized(tag: int, content: bytes) -> bytes:
    """A field of that tag with `content`."""
    size, head = len(content), bytearray([tag])
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*head, size]) + content


def filters(content: bytes) -> bytes:
    """A JobsQuery whose query is made of these bytes."""
    return sized(0x0A, content)


def is_refused(content: bytes, most: int, kind: Any = JobsQuery) -> bool:
    try:
        bounded(kind, most)(content)
    except InvalidRequest as error:
        return f"(key = request, reason = more than {most} values in one request)" in error.message
    return False


CASES: dict[str, tuple[dict[str, Any], int]] = {
    "conditions": ({"filter": [{}] * 1000}, 1001),
    "texts": ({"only": [""] * 1000}, 1001),
    "values of a condition": ({"filter": [{"v": [1] * 1000}]}, 1004),
    "members": ({"add_fields": {str(n): "" for n in range(1000)}}, 1002),
    "numbers": ({"page": {"limit": 1000}, "filter": [{"k": ""}] * 1000}, 2003),
}


@pytest.mark.parametrize(("query", "values"), CASES.values(), ids=CASES)
def test_as_many_values_as_allowed_are_taken_and_no_more(
    query: dict[str, Any], values: int
) -> None:
    message = json_format.ParseDict({"query": query}, JobsQuery())
    content = message.SerializeToString()

    assert bounded(JobsQuery, values)(content) == message
    assert is_refused(content, values - 1)


@settings(deadline=None)  # on a busy machine any example may take long
@given(anything)
def test_no_value_goes_uncounted(value: Any) -> None:
    message = json_format.ParseDict({"query": {"add_fields": {"x": value}}}, JobsQuery())
    content = message.SerializeToString() + filters(b"\x0a\x00" * 2000)

    assert is_refused(content, 1999 + values_of(value))
    assert not is_refused(content, 2010 + 2 * values_of(value))


def values_of(value: Any) -> int:
    """Members and elements within `value`."""
    if isinstance(value, dict):
        return sum(1 + values_of(member) for member in value.values())
    return sum(1 + values_of(item) for item in value) if isinstance(value, list) else 0


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_what_is_no_message_is_left_to_protobuf(content: bytes) -> None:
    for most in (1, 10, 10_000):
        try:
            taken = JobAnalyzeQuery.FromString(content)
        except DecodeError:
            taken = None
        try:
            assert bounded(JobAnalyzeQuery, most)(content) == taken
        except DecodeError:
            assert taken is None
        except InvalidRequest:
            assert most < len(content)


def test_lists_that_replace_each_other_count_each() -> None:
    # A member's value, sent again and again, now as a dictionary and now as a list.
    value = b"\x2a\x00\x32\x00" * 50_000
    entry = sized(0x0A, b"x") + sized(0x12, value)
    content = sized(0x0A, sized(0x5A, sized(0x0A, entry)))

    assert Value.FromString(value).HasField("list_value")
    assert bounded(JobsQuery, 200_000)(content).query.HasField("add_fields")
    assert is_refused(content, 50_000)


def test_what_is_hidden_behind_the_deepest_nesting_is_counted() -> None:
    value = Value(bool_value=True)
    for _ in range(31):
        value = Value(struct_value=Struct(fields={"x": value}))
    deep = sized(0x0A, sized(0x52, ListValue(values=[value]).SerializeToString()))

    assert is_refused(deep + filters(b"\x0a\x00" * 50_000), 40_000)


def test_a_million_conditions_are_refused_without_being_made() -> None:
    content = filters(b"\x0a\x00" * 1_000_000)
    begun = time.process_time()

    assert is_refused(content, 50_000)
    assert time.process_time() - begun < 1

"""JSON → request messages: what is taken, and what is said of what is not."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory_job.errors import InvalidRequest
from inventory_job.query.limits import Limits
from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2 import (
    JobInfo,
    JobsInfo,
    JobsQuery,
    JobStatQuery,
)
from inventory_job.transport.http.messages import json_of, message_of
from inventory_job.transport.http.parsing import has_more_values
from tests.support.nonsense import anything

MOST = Limits().values


def refused(content: str | bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        message_of(content.encode() if isinstance(content, str) else content, JobsQuery, MOST)
    return raised.value


def paths(error: InvalidRequest) -> list[str]:
    return [problem.path for problem in error.problems]


def test_fields_are_called_as_in_the_proto_or_in_camel_case() -> None:
    snake = message_of(b'{"query": {"count_only": true}, "job_id": "a"}', JobsQuery, MOST)
    camel = message_of(b'{"query": {"countOnly": true}, "jobId": "a"}', JobsQuery, MOST)

    assert (
        snake
        == camel
        == json_format.ParseDict({"query": {"count_only": True}, "job_id": "a"}, JobsQuery())
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{'job_id': 1}",
        b'{"query": NaN}',
        b'{"query": Infinity}',
        b'{"job_id": "\xff"}',
        b'{"job_id": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"job_id": "a", "job_id": "b"}',
        b'{"query": {"page": {"limit": ' + b"9" * 5000 + b"}}}",
        b"[" * 100_000,
        b'{"query":' * 50_000,
        b"null",
        b"[]",
        b'"text"',
        b"\xef\xbb\xbf{}",
    ],
    ids=[
        "empty",
        "cut off",
        "other quotes",
        "NaN",
        "Infinity",
        "not UTF-8",
        "half a surrogate pair",
        "half a surrogate pair as a name",
        "a member twice",
        "a very long number",
        "deep lists",
        "deep objects",
        "null",
        "a list",
        "a text",
        "a byte order mark",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(content: bytes) -> None:
    assert paths(refused(content)) == ["body"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"jobid": 1}, ["jobid"]),
        ({"query": {"fliter": []}}, ["query.fliter"]),
        ({"query": {"filter": [{"k": "a"}, {"key": "a", "op": "eq"}]}}, ["query.filter[1].op"]),
        ({"query": {"filter": {}}}, ["query.filter"]),
        ({"query": {"page": {"limit": -1}}}, ["query.page.limit"]),
        ({"query": {"page": {"limit": 2**32}}}, ["query.page.limit"]),
        ({"query": {"minimal": "yes"}}, ["query.minimal"]),
        ({"query": {"only": ["a", 1]}}, ["query.only[1]"]),
        ({"query": {"only": [None]}}, ["query.only[0]"]),
        ({"query": {"filter": [None]}}, ["query.filter[0]"]),
        ({"query": {"lookup": {}}}, ["query.lookup"]),
        ({"query": {"add_fields": []}}, ["query.add_fields"]),
        ({"query": 5}, ["query"]),
        ({"query": [1]}, ["query"]),
        ({"query": {"lookup": ""}}, ["query.lookup"]),
        ({"job_id": 5, "query": {"x": 1}}, ["job_id", "query.x"]),
        ({"status": "DONE"}, ["status"]),
        ({"query": {"filter": [{"key": "a", "k": "a"}]}}, ["query.filter[0].k"]),
        ({"query": {"filter": [{"v": 10**400}]}}, ["body"]),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_every_field_that_cannot_be_taken_is_named(
    request_: dict[str, Any], expected: list[str]
) -> None:
    assert paths(refused(json.dumps(request_))) == expected


@pytest.mark.parametrize(
    ("content", "path", "earlier"),
    [
        ('{"job_id": "a", "jobId": "a"}', "jobId", "job_id"),
        ('{"jobId": "a", "job_id": null}', "job_id", "jobId"),
        ('{"query": {"countOnly": true, "count_only": true}}', "query.count_only", "countOnly"),
        ('{"query": {"filter_or": [], "filterOr": []}}', "query.filterOr", "filter_or"),
    ],
)
def test_a_field_under_both_its_names_is_refused(content: str, path: str, earlier: str) -> None:
    (problem,) = refused(content).problems

    assert problem.path == path
    assert problem.message.endswith(f"reason = {earlier!r} says the same)")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON: expecting value (line 1, column 1)"),
        (b'{\n  "job_id" "a"}', "it is not JSON: expecting ':' delimiter (line 2, column 12)"),
        (b'{"job_id": "a"} x', "it is not JSON: extra data (line 1, column 17)"),
        (b'{"query": NaN}', "it is not JSON: it has no NaN"),
        (b'{"job_id": "\xff"}', "it is not Unicode: the byte at 12 is not of UTF-8"),
        (b'{"job_id": "\\ud800"}', "it is not Unicode: there is half of a surrogate pair"),
        (b"[" * 40_000, "it is nested too deeply, more than 100 levels"),
        (b"[" * 102 + b"]" * 102, "it is nested too deeply, more than 100 levels"),
        (b'{"job_id": "a", "job_id": "b"}', "a member is there twice: 'job_id'"),
        (b'{"status": ' + b"9" * 5000 + b"}", "it is not JSON: a number has too many digits"),
        (b'{"query": {"add_fields": {"x": 1e400}}}', "a number is beyond those of 64 bits"),
        (b'{"query": {"add_fields": {"x": -1e400}}}', "a number is beyond those of 64 bits"),
        (
            b'{"query": {"add_fields": {"x": 1' + b"0" * 400 + b"}}}",
            "a number is beyond those of 64 bits",
        ),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_it_is_said_what_is_wrong_with_a_body_and_where(content: bytes, reason: str) -> None:
    (problem,) = refused(content).problems

    assert problem.message == f"Parameter is invalid. (key = body, reason = {reason})"


def test_a_name_that_is_there_twice_is_found_in_linear_time() -> None:
    names = 40_000
    begun = time.process_time()

    error = refused(json.dumps(dict.fromkeys(map(str, range(names)), 1))[:-1] + ', "39999": 1}')

    # To look for each name among all takes some ten seconds.
    assert time.process_time() - begun < 2
    assert "a member is there twice: '39999'" in error.message


VALUES: list[tuple[bytes, int]] = [
    (b"{}", 0),
    (b'{"a": [ ], "b": { }}', 2),
    (b'[1, [2, 3], {"a": "1,2,[{"}, "\\",\\"", "\\\\", []]', 9),
]


@pytest.mark.parametrize(("content", "values"), VALUES)
def test_members_and_elements_are_counted(content: bytes, values: int) -> None:
    assert not has_more_values(content, values)
    assert values == 0 or has_more_values(content, values - 1)


@given(anything)
def test_members_and_elements_of_anything_are_counted(value: Any) -> None:
    content, values = json.dumps(value, indent=1).encode(), values_of(value)

    assert not has_more_values(content, values)
    assert values == 0 or has_more_values(content, values - 1)


def values_of(value: Any) -> int:
    """Members and elements within `value`."""
    if isinstance(value, dict):
        return sum(1 + values_of(member) for member in value.values())
    return sum(1 + values_of(item) for item in value) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    "content",
    [
        b'"' + b"," * 100_000 + b'"' * 3_900_000,
        b'"' + b"," * 100_000 + b'\\"' * 1_900_000,
        b'"' + b"," * 100_000 + b"\\" * 3_900_000,
        b'"' + b"," * 100_000 + b'"' + b"[ " * 10 + b" " * 3_900_000,
        b"[]" * 2_000_000,
    ],
    ids=["quotes", "escaped quotes", "backslashes", "blanks", "empty lists"],
)
def test_values_of_the_oddest_bodies_are_counted_in_linear_time(content: bytes) -> None:
    begun = time.process_time()

    assert not has_more_values(content, MOST)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("item", ["{}", "1", '{"k": "status"}', "[[]]"])
def test_too_many_values_are_refused_before_they_are_parsed(item: str) -> None:
    content = f'{{"query": {{"filter": [{", ".join([item] * MOST)}]}}}}'.encode()
    tracemalloc.start()
    try:
        error = refused(content)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert error.message == (
        f"Parameter is invalid. (key = body, reason = more than {MOST} values in one request)"
    )
    assert most < 100_000


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["query", "job_id", "status", "x"]), anything))
def test_what_protobuf_takes_is_taken(request_: dict[str, Any]) -> None:
    assert bool(paths_against(request_)) != is_taken_by_protobuf(request_)


def is_taken_by_protobuf(request: dict[str, Any]) -> bool:
    try:
        json_format.ParseDict(request, JobStatQuery())
    except (json_format.ParseError, TypeError, ValueError):
        return False
    return True


def test_a_refusal_says_what_would_do() -> None:
    (problem,) = refused('{"status": "DONE"}').problems

    assert problem.message == (
        "Parameter is invalid. (key = status, reason = it must be one of JOB_STATE_NONE, CANCELED, "
        "IN_PROGRESS, SUCCESS, FAILURE, TIMEOUT)"
    )


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(["query", "job_id", "status", "x"]), anything))
def test_any_object_is_taken_or_refused_with_a_path(request_: dict[str, Any]) -> None:
    assert all(paths_against(request_))


def paths_against(request: dict[str, Any]) -> list[str]:
    """The fields to blame; none when the request is taken."""
    try:
        message_of(json.dumps(request).encode(), JobStatQuery, MOST)
    except InvalidRequest as error:
        return paths(error)
    return []


def test_members_at_their_defaults_are_left_out_of_an_answer() -> None:
    answer = JobsInfo(results=[JobInfo(job_id="job-ä", status=JobInfo.FAILURE, failure_tasks=2)])

    assert json_of(answer).decode() == (
        '{"results":[{"job_id":"job-ä","status":"FAILURE","failure_tasks":2}]}'
    )

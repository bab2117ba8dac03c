"""JSON → request messages: what is taken, and what is said of what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory_job.errors import InvalidRequest
from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2 import (
    JobInfo,
    JobsInfo,
    JobsQuery,
    JobStatQuery,
)
from inventory_job.transport.http.messages import json_of, message_of
from tests.strategies import anything


def refused(content: str | bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        message_of(content.encode() if isinstance(content, str) else content, JobsQuery)
    return raised.value


def paths(error: InvalidRequest) -> list[str]:
    return [problem.path for problem in error.problems]


def test_fields_are_called_as_in_the_proto_or_in_camel_case() -> None:
    snake = message_of(b'{"query": {"count_only": true}, "job_id": "a"}', JobsQuery)
    camel = message_of(b'{"query": {"countOnly": true}, "jobId": "a"}', JobsQuery)

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
        message_of(json.dumps(request).encode(), JobStatQuery)
    except InvalidRequest as error:
        return paths(error)
    return []


def test_members_at_their_defaults_are_left_out_of_an_answer() -> None:
    answer = JobsInfo(results=[JobInfo(job_id="job-ä", status=JobInfo.FAILURE, failure_tasks=2)])

    assert json_of(answer).decode() == (
        '{"results":[{"job_id":"job-ä","status":"FAILURE","failure_tasks":2}]}'
    )

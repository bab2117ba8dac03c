"""Queries that no index helps: refused by what they would cost, before they run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest

from inventory_job.query.limits import Limits
from inventory_job.settings import Settings
from tests.support.client import Client, Plain, Recorder, tenants
from tests.support.running import ServerThread
from tests.support.store import Store

JOBS, TASKS = 50, 100
COUNT = {"n": {"operator": "count"}}
LOOKUP = {"from": "job_task", "localField": "status", "foreignField": "status", "as": "tasks"}
BY_ID = {**LOOKUP, "localField": "job_id", "foreignField": "job_id"}


@pytest.fixture(scope="module")
def client(recorder: Recorder, settings: Settings, database: Store) -> Iterator[Client]:
    """A client of 50 jobs, one a day, and 100 tasks, of a server that allows 1 000 comparisons of
    patterns and 1 000 tasks to be read."""
    limits = Limits(pattern_comparisons=1000, lookup_tasks=1000)
    jobs = [
        {"created_at": datetime(2026, 1, 1) + timedelta(days=day), "status": f"S{day % 5}"}
        for day in range(JOBS)
    ]
    tasks = [{"job_id": f"job-{n:012x}", "status": "PENDING"} for n in range(TASKS)]
    with (
        ServerThread(settings.model_copy(update={"limits": limits})) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield tenants(channel, database)(*jobs, tasks=tasks)


def words(count: int) -> list[str]:
    return [f"word {number}" for number in range(count)]


def condition(operator: str, value: Any) -> Plain:
    return {"k": "plugin_id", "o": operator, "v": value}


def unwinding(count: int) -> Plain:
    unwind = {"path": "status", "filter": [{"k": "status", "o": "contain_in", "v": words(count)}]}
    return {"unwind": unwind}


PATTERNS: dict[str, tuple[str, Plain, str]] = {
    "words": ("list", {"filter": [condition("contain_in", words(30))]}, "query.filter[0]"),
    "not words": (
        "stat",
        {"distinct": "status", "filter": [condition("not_contain_in", words(30))]},
        "query.filter[0]",
    ),
    "conditions": (
        "list",
        {"filter_or": [condition("contain", word) for word in words(30)]},
        "query.filter_or[0]",
    ),
    "regular expressions": (
        "analyze",
        {
            "filter": [condition("regex", "x"), condition("regex_in", words(30))],
            "fields": COUNT,
        },
        "query.filter[1]",
    ),
    "a keyword": ("list", {"keyword": " ".join("abcdefghijklmnopqrstuvwxyzäöüß")}, "query.keyword"),
    "an unwind of a list": ("list", unwinding(30), "query.unwind.filter"),
    "an unwind of an analyze": (
        "analyze",
        {**unwinding(30), "fields": COUNT},
        "query.unwind.filter",
    ),
    "an unwind of a stat": (
        "stat",
        {"aggregate": [unwinding(30), {"count": {"name": "n"}}]},
        "query.aggregate",
    ),
}


@pytest.mark.parametrize(("method", "query", "path"), PATTERNS.values(), ids=PATTERNS)
def test_patterns_times_jobs_are_limited(
    client: Client, recorder: Recorder, method: str, query: Plain, path: str
) -> None:
    with recorder.recording() as commands:
        refusal = client.refused(method, {"query": query})

    assert refusal.code == "ERROR_INVALID_PARAMETER"
    assert refusal.paths == [path]
    assert " patterns a query may be about 3" in refusal.details
    assert "narrow the filter by job_id, collector_id, status, created_at" in refusal.details
    # Jobs were counted, and compared with nothing.
    assert len(commands) == 1
    assert "word" not in str(commands)
    few = {"filter": [{"k": "created_at", "o": "datetime_lt", "v": "2026-01-31"}]}
    narrowed = {**query, "filter": [*query.get("filter", []), *few["filter"]]}
    client.call(method, {"query": narrowed})


def test_few_patterns_are_always_allowed(client: Client, recorder: Recorder) -> None:
    with recorder.recording() as commands:
        answer = client.list({"filter": [condition("not_contain_in", words(20))], "only": ["id"]})

    assert answer["total_count"] == JOBS
    assert len(commands) == 1


def test_what_is_no_pattern_is_not_counted(client: Client) -> None:
    query = {"filter": [condition("not_in", words(9000))]}

    assert client.list(query)["total_count"] == JOBS


@pytest.mark.parametrize(
    "narrowing",
    [
        {"k": "total_tasks", "o": "eq", "v": -1},
        {"k": "status", "o": "not", "v": "S0"},
        {"k": "job_id", "o": "contain", "v": "nothing"},
    ],
    ids=["no index", "not", "a pattern"],
)
def test_conditions_that_an_index_does_not_help_leave_all_jobs(
    client: Client, narrowing: Plain
) -> None:
    query = {"filter": [narrowing, condition("contain_in", words(30))]}

    assert client.refused("list", {"query": query}).paths == ["query.filter[1]"]


def analyzed(*lookups: Plain, jobs: int) -> Plain:
    until = datetime(2026, 1, 1) + timedelta(days=jobs)
    return {
        "lookup": [*lookups],
        "filter": [{"k": "created_at", "o": "datetime_lt", "v": until.isoformat()}],
        "fields": COUNT,
    }


@pytest.mark.parametrize(
    ("lookups", "jobs"),
    [((LOOKUP,), 10), ((BY_ID,), 50), ((BY_ID, BY_ID), 25), ((BY_ID, LOOKUP), 8), ((LOOKUP,), 0)],
    ids=["all tasks", "by index", "twice", "both", "no jobs"],
)
def test_lookups_times_jobs_are_limited(
    client: Client, recorder: Recorder, lookups: tuple[Plain, ...], jobs: int
) -> None:
    named = [{**lookup, "as": f"tasks{number}"} for number, lookup in enumerate(lookups)]

    assert client.analyze(analyzed(*named, jobs=jobs))["results"] == ([{"n": jobs}] * (jobs > 0))
    with recorder.recording() as commands:
        refusal = client.refused("analyze", {"query": analyzed(*named, *named[:1], jobs=JOBS)})

    assert refusal.code == "ERROR_INVALID_PARAMETER"
    assert refusal.paths == ["query.lookup"]
    assert "read more than 1000 tasks; narrow the filter" in refusal.details
    assert "$lookup" not in str(commands)


def test_lookups_of_a_list_are_limited(client: Client) -> None:
    query = {"lookup": [LOOKUP], "sort": [{"key": "tasks.provider"}]}

    assert client.refused("list", {"query": query}).paths == ["query.lookup"]
    # Lookups that no key sorts by are not made.
    assert client.list({"lookup": [LOOKUP]})["total_count"] == JOBS


@pytest.mark.parametrize("size", [9, 17])
def test_a_row_that_is_too_large_is_refused_on_a_connection_that_stays(
    settings: Settings, database: Store, recorder: Recorder, size: int
) -> None:
    """MongoDB closes the connection over a larger row, and the driver then all others."""
    with (
        ServerThread(settings) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        wide = {"plugin_id": "x" * 1_000_000}
        client = tenants(channel, database)(*[wide] * size)
        pushes = [{"o": "push", "n": name, "k": "plugin_id"} for name in "ab"]

        with recorder.recording() as commands:
            refusal = client.refused(
                "stat", {"query": {"aggregate": [{"group": {"fields": pushes}}]}}
            )

    assert refusal.details == (
        "ERROR_DB_QUERY: Database query failed. (reason = a result is larger than 16 MiB)"
    )
    # Another attempt would follow a lost connection.
    assert len(commands) == 1

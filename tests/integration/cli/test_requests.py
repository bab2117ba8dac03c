"""What commands ask a server for: filters, queries, pages, deletes; what is refused."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from bson import Code
from bson.datetime_ms import DatetimeMS
from typer.testing import Result

from inventory_job.cli.client import jobs as jobs_commands
from tests.support.client import Tenant
from tests.support.shell import Shell


def ids(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [job["job_id"] for job in json.loads(done.stdout)["results"]]


def test_a_domain_and_a_workspace_narrow_what_is_seen(shell: Shell, tenant: Tenant) -> None:
    client = tenant({"workspace_id": "ws-1"}, {"workspace_id": "ws-2"})
    one = ("list", "-o", "json", "--domain", client.domain_id, "--workspace", "ws-2")

    assert ids(shell(*one)) == ["job-000000000002"]


def test_dates_that_cannot_be_written_do_not_fail_a_chart_or_stat(
    shell: Shell, tenant: Tenant
) -> None:
    day = datetime(2026, 3, 4, 1)
    # A list is found by the dates in it, but is none.
    dates = [day, "2026-03-04", DatetimeMS(2**62), [day], Code("x"), None]
    client = tenant(*({"created_at": date, "status": "SUCCESS"} for date in dates))
    here = ("--domain", client.domain_id)

    chart = shell("chart", "--since", "2026-03-04", "--until", "2026-03-06", *here)
    stat = shell("stat", "--by", "status", "--per", "day", "-o", "json", *here)

    assert chart.exit_code == 0, chart.output
    assert [line.split() for line in chart.stdout.splitlines()[1:]] == [
        ["(none)", "1"],
        ["2026-03-04", "1"],
        ["2026-03-05", "0"],
    ]
    assert stat.exit_code == 0, stat.output
    rows = {row.get("day"): row["jobs"] for row in json.loads(stat.stdout)["results"]}
    assert rows == {None: 5, "2026-03-04": 1}


def test_a_missing_domain_is_said_with_what_names_it(shell: Shell) -> None:
    refused = shell("list")

    assert refused.exit_code == 1
    assert "--domain or INVENTORY_JOB_DOMAIN" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["list", "-f", "=FAILURE"], "'=FAILURE' is no filter"),
        (["list", "--any", "a<1,2"], "'a<1,2'"),
        (["list", "--only", "a,,b"], "'a,,b'"),
        (["list", "--sort", "-"], "'-'"),
        (["list", "--page", "0"], "--page"),
        (["list", "--key-file", "x", "--certificate-file", "y"], "--tls"),
        (["list", "--tls", "--key-file", "x"], "--certificate-file"),
        (["list", "--tls", "--ca-file", "/nowhere/ca.pem"], "/nowhere/ca.pem"),
        (["stat", "--query", "/nowhere/query.json"], "/nowhere/query.json"),
        (["stat", "--query", "-", "--by", "status"], "--query"),
        (["stat", "--query", "-", "--count"], "--query"),
        (["stat", "--query", "-", "--page", "2"], "--query"),
        (["stat", "--distinct", "status", "--by", "status"], "--distinct"),
        (["chart", "--since", "yesterday"], "'yesterday'"),
        (["chart", "--since", "1d", "--until", "2d"], "--until"),
        (["chart", "--per", "hour", "--since", "9999d"], "--per"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_named_and_gives_status_2(
    shell: Shell, arguments: list[str], reason: str
) -> None:
    refused = shell(*arguments, typed="{}")

    assert refused.exit_code == 2
    assert reason in refused.stderr


def test_all_violations_are_shown_with_their_fields(shell: Shell) -> None:
    refused = shell("list", "--domain", "d", "-f", "colector_id=x", "-f", "total_tasks=y")

    assert refused.exit_code == 1
    first, *violations = refused.stderr.splitlines()
    assert first.startswith("inventory-job: ERROR_INVALID_PARAMETER: ")
    assert [line.partition(": ")[0] for line in violations] == [
        "  query.filter[0].key",
        "  query.filter[1].value",
    ]


QUERY: dict[str, Any] = {
    "filter": [{"k": "created_at", "v": "2026-03-01", "o": "datetime_gte"}],
    "aggregate": [{"group": {"keys": [{"key": "status", "name": "s"}]}}],
}
YAML_QUERY = """
filter:
- {k: created_at, v: 2026-03-01, o: datetime_gte}
aggregate:
- group: {keys: [{key: status, name: s}]}
"""


@pytest.mark.parametrize(
    "text",
    [json.dumps(QUERY), json.dumps({"query": QUERY}, indent="\t"), YAML_QUERY],
    ids=["JSON", "a request", "YAML"],
)
def test_a_whole_query_is_json_or_yaml(shell: Shell, tenant: Tenant, text: str) -> None:
    client = tenant({"status": "SUCCESS", "created_at": datetime(2026, 3, 2)}, {"status": "X"})

    done = shell("stat", "--query", "-", "--domain", client.domain_id, typed=text)

    assert done.stdout == "s\nSUCCESS\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "neither JSON nor YAML"),
        ("- a", "a query is a dictionary"),
        ("1: a", "a query is a dictionary"),
        ('{"aggregte": []}', "no field named"),
        ("fields: !!python/object:os.system {}", "neither JSON nor YAML"),
    ],
)
def test_what_is_no_query_is_refused_with_the_reason(shell: Shell, text: str, reason: str) -> None:
    refused = shell("analyze", "--query", "-", typed=text)

    assert refused.exit_code == 2
    assert reason in refused.stderr


def test_delete_does_not_prompt_without_a_terminal(shell: Shell, tenant: Tenant) -> None:
    client = tenant({})

    refused = shell("delete", "--domain", client.domain_id, "job-000000000001", typed="y\n")

    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert client.numbers() == [1]


def test_the_first_job_that_cannot_be_deleted_ends_it(shell: Shell, tenant: Tenant) -> None:
    client = tenant({}, {}, {})
    names = ("job-000000000001", "job-00000000000f", "job-000000000002")

    done = shell("delete", "--yes", "--domain", client.domain_id, *names)

    assert done.exit_code == 3
    assert done.stdout == "deleted job-000000000001\n"
    assert client.numbers({"sort": [{"key": "job_id"}]}) == [2, 3]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_commands, "LARGEST_PAGE", 2)
    monkeypatch.setattr(jobs_commands, "MOST_JOBS", 6)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 6])
def test_all_is_every_page(shell: Shell, tenant: Tenant, count: int) -> None:
    client = tenant({}, *({} for _ in range(count)))

    query = ("list", "--all", "-f", "job_id!=job-000000000001", "-s", "job_id", "-o", "json")
    found = ids(shell(*query, "--domain", client.domain_id))

    assert found == [f"job-{number:012x}" for number in range(2, count + 2)]


@pytest.mark.usefixtures("small_pages")
def test_all_is_refused_when_that_is_too_many(shell: Shell, tenant: Tenant) -> None:
    client = tenant(*({} for _ in range(7)))

    refused = shell("list", "--all", "--domain", client.domain_id)

    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert "there are 7 jobs" in refused.stderr

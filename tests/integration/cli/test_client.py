"""The commands that call a server: who is calling, what is refused, how they end."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from bson import Code
from bson.datetime_ms import DatetimeMS
from pydantic import SecretStr
from typer.testing import Result

from inventory_job.cli.client import jobs as jobs_commands
from inventory_job.settings import Settings
from tests.support.certificates import Authority
from tests.support.client import Tenant, tenants
from tests.support.running import ServerThread, server_of
from tests.support.serving import Serving
from tests.support.shell import Shell
from tests.support.store import Store


@pytest.fixture(scope="module")
def tenant(channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)


@pytest.fixture
def shell(server: ServerThread) -> Shell:
    return Shell(server.address)


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


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    made = Shell()("token", "keys", "--domain-id", "domain-1", "--directory", directory)
    assert made.exit_code == 0
    return directory


def signed(keys: Path, *arguments: str) -> str:
    sign = ("token", "sign", "--key", keys / "domain-1.pem", "--domain-id", "domain-1")
    return Shell()(*sign, *arguments).stdout.strip()


@pytest.fixture(scope="module")
def strict_server(mongo_uri: str, database: Store, keys: Path) -> Iterator[ServerThread]:
    """A server that asks for tokens."""
    settings = Settings(
        port=0,
        mongo_uri=SecretStr(mongo_uri),
        mongo_database=database.name,
        auth_mode="jwt",
        auth_key_file=keys / "keys.json",
    )
    with server_of(settings) as running:
        yield running


def test_a_token_comes_from_the_environment_a_file_or_an_option(
    strict_server: ServerThread, keys: Path, tmp_path: Path
) -> None:
    token = signed(keys, "--role", "DOMAIN_ADMIN")
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    address = strict_server.address

    assert Shell(address, INVENTORY_JOB_TOKEN=token)("list").exit_code == 0
    assert Shell(address)("list", "--token-file", file).exit_code == 0
    assert Shell(address)("list", "--token", token).exit_code == 0


def test_paths_may_begin_with_the_home_directory(
    strict_server: ServerThread, keys: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(signed(keys, "--role", "DOMAIN_ADMIN"))
    (tmp_path / "query.json").write_text('{"distinct": "status"}')
    shell = Shell(strict_server.address, HOME=str(tmp_path))
    with_variable = Shell(
        strict_server.address, HOME=str(tmp_path), INVENTORY_JOB_TOKEN_FILE="~/token"
    )

    assert shell("list", "--token-file=~/token").exit_code == 0
    assert with_variable("stat", "--query=~/query.json").exit_code == 0
    made = shell("token", "keys", "--domain-id", "domain-1", "--directory=~/keys")
    assert made.stdout.startswith(f"{tmp_path}/keys/domain-1.pem")
    for option in ("--ca-file", "--certificate-file", "--key-file"):
        absent = shell("health", "--tls", f"{option}=~nobody-here/file")
        assert absent.exit_code == 2
        assert "~nobody-here/file" in absent.stderr


def test_callers_that_are_unknown_or_not_allowed_get_status_4(
    strict_server: ServerThread, keys: Path
) -> None:
    token = signed(keys, "--role", "WORKSPACE_MEMBER", "--workspace-id", "ws-1")
    shell = Shell(strict_server.address)

    unknown = shell("list")
    assert unknown.exit_code == 4
    assert unknown.stderr.startswith("inventory-job: ERROR_AUTHENTICATE_FAILURE: ")
    denied = shell("delete", "--yes", "job-1", "--token", token)
    assert denied.exit_code == 4
    assert denied.stderr.startswith("inventory-job: ERROR_PERMISSION_DENIED: ")


def test_a_token_that_is_none_is_refused_and_not_shown(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xffsecret")

    for refused in (
        shell("list", "--token", "secret\nx"),
        shell("list", "--token-file", file),
        shell("list", "--token-file", tmp_path / "none"),
    ):
        assert refused.exit_code == 2
        assert "secret" not in refused.output


def test_a_server_that_is_not_there_gives_status_5(unused_port: int) -> None:
    refused = Shell(f"127.0.0.1:{unused_port}")("list", "--timeout", "5")

    assert refused.exit_code == 5
    assert refused.stderr.startswith(f"inventory-job: 127.0.0.1:{unused_port}: UNAVAILABLE: ")


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is taken and never answers: its socket does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_answer_that_takes_too_long_gives_status_5(mute_port: int) -> None:
    refused = Shell(f"127.0.0.1:{mute_port}")("list", "--timeout", "0.3")

    assert refused.exit_code == 5
    assert "DEADLINE_EXCEEDED" in refused.stderr or "UNAVAILABLE" in refused.stderr


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize("command", [("list", "--domain", "d"), ("health",)])
def test_a_url_says_where_the_server_is(
    server: ServerThread, scheme: str, command: tuple[str, ...]
) -> None:
    assert Shell(f"{scheme}://{server.address}")(*command).exit_code == 0


def test_an_endpoint_that_is_none_is_wrong_usage(shell: Shell) -> None:
    for command in ("list", "health"):
        refused = shell(command, "--endpoint", "ftp://127.0.0.1:21")
        assert refused.exit_code == 2
        assert "ftp://" in refused.stderr


@pytest.mark.parametrize("command", ["list", "health"])
def test_the_http_port_is_recognised(mongo_uri: str, database: Store, command: str) -> None:
    settings = {"mongo_database": database.name, "http": True, "http_port": 0}
    with Serving(mongo_uri, **settings) as serving:
        address = serving.http_address
        refused = Shell(address)(command, "--timeout", "10")

    assert refused.exit_code == (5 if command == "list" else 1)
    assert "this port speaks HTTP/1" in refused.stderr
    assert "gRPC port" in refused.stderr


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


@pytest.fixture
def tls_server(mongo_uri: str, database: Store, tmp_path: Path) -> Iterator[ServerThread]:
    """A server with mutual TLS; the files are server.crt, server.key and ca.crt."""
    authority = Authority()
    certificate, key = authority.issue().write(tmp_path)
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    settings = Settings(
        port=0,
        mongo_uri=SecretStr(mongo_uri),
        mongo_database=database.name,
        tls_certificate_file=certificate,
        tls_key_file=key,
        tls_client_ca_file=tmp_path / "ca.crt",
    )
    with server_of(settings) as running:
        yield running


def test_a_server_with_mutual_tls_is_asked_with_certificates(
    tls_server: ServerThread, tmp_path: Path
) -> None:
    shell = Shell(tls_server.address)
    trusting = ("list", "--domain", "domain-1", "--tls", "--ca-file", tmp_path / "ca.crt")
    shown = ("--certificate-file", tmp_path / "server.crt", "--key-file", tmp_path / "server.key")

    assert shell(*trusting, *shown).exit_code == 0
    assert shell(*trusting, "--timeout", "3").exit_code == 5
    assert shell("list", "--domain", "domain-1", "--timeout", "3").exit_code == 5

"""How commands reach a server: where it is, who is calling, certificates, what fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from inventory_job.settings import Settings
from tests.support.certificates import Authority
from tests.support.running import ServerThread, server_of
from tests.support.serving import Serving
from tests.support.shell import Shell
from tests.support.store import Store


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

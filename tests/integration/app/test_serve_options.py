"""`inventory-job serve` on the command line: its options, and what it refuses before it has started
anything."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inventory_job.cli import serve
from inventory_job.embedded.data_directory import DataDirectory
from inventory_job.settings import CannotStart, Settings
from inventory_job.transport.listening import PortInUse, bound_sockets
from tests.support.running import server_of
from tests.support.shell import Shell

COMMAND = [sys.executable, "-m", "inventory_job", "serve", "--log-format", "json"]

Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """What `serve` with some options says when it ends with 1 before there is a database."""

    def run(*options: str, **variables: str) -> str:
        data_dir = tmp_path / "data"
        command = [*COMMAND, "--http", "--data-dir", str(data_dir), *options]
        ended = subprocess.run(
            command,
            env=os.environ | {f"INVENTORY_JOB_{n.upper()}": v for n, v in variables.items()},
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert ended.returncode == 1, ended.stderr
        assert not data_dir.exists()
        assert "Traceback" not in ended.stderr
        return ended.stderr

    return run


@pytest.fixture
def refused_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """The same in this process, which keeps its log and its signals; or it ends with another
    `status`."""
    monkeypatch.setattr(serve, "configure_logging", lambda *_: None)
    monkeypatch.setattr(serve, "end_on_signals", lambda: None)

    def run(*options: str, status: int = 1, **variables: str) -> str:
        data_dir = tmp_path / "data"
        shell = Shell(**{f"INVENTORY_JOB_{n.upper()}": v for n, v in variables.items()})
        ports = ("--port", "0", "--http-port", "0")
        ended = shell("serve", "--http", "--data-dir", data_dir, *ports, *options)
        assert ended.exit_code == status, ended.output
        assert isinstance(ended.exception, SystemExit)
        assert not data_dir.exists()
        return ended.stderr

    return run


def serving_entry(settings: Settings, *options: str) -> dict[str, Any]:
    """What the log says of a server with these options, which is then stopped."""
    assert settings.mongo_uri is not None
    variables = {"INVENTORY_JOB_MONGO_URI": settings.mongo_uri.get_secret_value()}
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--http", *options],
        env=os.environ | variables,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                entry: dict[str, Any] = json.loads(line)
                if entry["event"] == "serving":
                    return entry
        finally:
            process.terminate()
    raise AssertionError("it ended without serving")


def test_http_can_be_moved(settings: Settings) -> None:
    (bound,) = bound_sockets("127.0.0.2", 0)
    port = bound.getsockname()[1]
    bound.close()

    entry = serving_entry(settings, "--http-host", "127.0.0.2", "--http-port", str(port))

    assert entry["http_address"] == f"127.0.0.2:{port}"


def test_http_can_be_left_out(settings: Settings) -> None:
    assert serving_entry(settings, "--no-http")["http_address"] is None


def test_the_mode_of_authentication_is_an_option() -> None:
    ended = subprocess.run(
        [*COMMAND, "--auth-mode", "jwt"], capture_output=True, text=True, check=False, timeout=50
    )

    assert ended.returncode == 2
    assert ended.stderr == "inventory-job: setting auth_key_file: auth_mode jwt needs it\n"


@pytest.mark.parametrize(
    ("protocol", "option", "other"),
    [("gRPC", "--port", "--http-port"), ("HTTP", "--http-port", "--port")],
)
def test_of_a_port_in_use_is_said_which_and_what_moves_it(
    refused: Refused, protocol: str, option: str, other: str
) -> None:
    (bound,) = bound_sockets("127.0.0.1", 0)
    with bound:
        port = bound.getsockname()[1]
        said = refused(option, str(port), other, "0")

    variable = f"INVENTORY_JOB_{option.removeprefix('--').replace('-', '_').upper()}"
    assert said == (
        f"inventory-job: The port of {protocol} is not to be had. Cannot listen on "
        f"127.0.0.1:{port}: Address already in use. Choose another port with {option} "
        f"({variable}).\n"
    )


def test_one_number_for_both_ports_is_refused(refused: Refused) -> None:
    (bound,) = bound_sockets("127.0.0.1", 0)
    port = str(bound.getsockname()[1])
    bound.close()

    assert "--http-port" in refused("--port", port, "--http-port", port)


def test_an_address_of_another_machine_names_the_option_of_the_address(refused: Refused) -> None:
    said = refused("--http-host", "192.0.2.1", "--port", "0", allow_remote_without_auth="true")

    assert "Cannot listen on 192.0.2.1:" in said
    assert "Choose another host with --http-host (INVENTORY_JOB_HTTP_HOST)." in said


def test_settings_that_do_not_do_are_refused_before_a_database_is_started(
    refused_settings: Refused, tmp_path: Path
) -> None:
    absent = str(tmp_path / "absent")
    (tmp_path / "token").write_text("")

    assert "loopback" in refused_settings("--host", "0.0.0.0")
    assert "absent" in refused_settings("--auth-mode", "jwt", auth_key_file=absent)
    assert "absent" in refused_settings(tls_certificate_file=absent, tls_key_file=absent)
    assert "not one" in refused_settings(
        "--auth-mode",
        "identity",
        identity_endpoint="identity:50051",
        identity_token_file=str(tmp_path / "token"),
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mongo_uri", ""),
        ("mongo_uri", "http://db.example"),
        ("mongo_uri", "mongodb://db.example:port/"),
        ("mongo_uri", "mongodb://db.example/?w=0"),
        ("mongo_database", "a.b"),
        ("mongo_database", "x" * 64),
        ("identity_endpoint", "nonsense"),
    ],
)
def test_a_value_that_no_server_could_have_is_refused_by_its_setting(
    refused_settings: Refused, setting: str, value: str
) -> None:
    variables = {setting: value}
    if setting == "identity_endpoint":
        variables |= {"auth_mode": "identity", "identity_token": "t"}

    said = refused_settings(status=2, **variables)

    assert said.startswith(f"inventory-job: setting {setting}: ")
    assert said.count("\n") == 1


def test_a_file_of_the_connection_string_that_is_not_there(
    refused_settings: Refused, tmp_path: Path
) -> None:
    uri = f"mongodb://db.example/?tls=true&tlsCAFile={tmp_path / 'absent'}"

    said = refused_settings(mongo_uri=uri)

    assert "A file that mongo_uri names" in said
    assert "absent" in said


def test_a_data_directory_in_use_names_the_option(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "data").owned():
        ended = subprocess.run(
            [*COMMAND, "--port", "0", "--data-dir", str(tmp_path / "data")],
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"inventory-job: The data directory {tmp_path / 'data'} is in use by process {os.getpid()}."
        " Stop that process or choose another one with --data-dir (INVENTORY_JOB_DATA_DIR)."
    )


def answering(port: int) -> set[str]:
    """The loopback addresses that take connections to a port."""
    found = set()
    for address in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((address, port), timeout=5).close()
        except OSError:
            continue
        found.add(address)
    return found


def test_a_name_is_listened_on_at_the_same_addresses_by_both_ports(settings: Settings) -> None:
    named = settings.model_copy(update={"host": "localhost", "http": True, "http_port": 0})

    with server_of(named) as server:
        found = answering(server.port)

        assert found
        assert answering(server.http_port) == found


@pytest.fixture
def both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the name both.example stand for both loopback addresses."""
    if not has_ipv6():
        pytest.skip("there is no IPv6 here")
    real = socket.getaddrinfo

    def found(host: Any, *others: Any, **options: Any) -> list[Any]:
        hosts = ["127.0.0.1", "::1"] if host == "both.example" else [host]
        return [entry for each in hosts for entry in real(each, *others, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def has_ipv6() -> bool:
    try:
        for bound in bound_sockets("::1", 0):
            bound.close()
    except PortInUse:
        return False
    return True


@pytest.mark.usefixtures("both_families")
def test_all_addresses_of_a_name_have_one_port() -> None:
    bound = bound_sockets("both.example", 0)
    try:
        assert [each.getsockname()[0] for each in bound] == ["127.0.0.1", "::1"]
        (port,) = {each.getsockname()[1] for each in bound}
        assert answering(port) == {"127.0.0.1", "::1"}
    finally:
        for each in bound:
            each.close()


@pytest.mark.usefixtures("both_families")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_name_with_an_address_whose_port_is_in_use_is_refused(
    settings: Settings, address: str
) -> None:
    (bound,) = bound_sockets(address, 0)
    with bound:
        port = bound.getsockname()[1]
        named = settings.model_copy(
            update={"host": "both.example", "port": port, "allow_remote_without_auth": True}
        )

        with pytest.raises(CannotStart, match="Address already in use"):
            server_of(named).__enter__()
    assert answering(port) == set()

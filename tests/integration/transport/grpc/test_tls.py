"""TLS and mutual TLS on the port, as clients and probes meet it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr

from inventory_job.settings import CannotStart, Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.certificates import Authority, Certificate
from tests.support.running import ServerThread, server_of

TENANT = (("x_domain_id", "domain-1"),)
MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def directory(tmp_path: Path, authority: Authority) -> Path:
    """A directory with a server's certificate and the authority's."""
    authority.issue().write(tmp_path)
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    return tmp_path


@pytest.fixture
def make_settings(mongo_uri: str, database_name: str, directory: Path) -> MakeSettings:
    def make(*, mutual: bool = False) -> Settings:
        return Settings(
            port=0,
            mongo_uri=SecretStr(mongo_uri),
            mongo_database=database_name,
            tls_certificate_file=directory / "server.crt",
            tls_key_file=directory / "server.key",
            tls_client_ca_file=directory / "ca.crt" if mutual else None,
        )

    return make


@contextmanager
def connected(
    server: ServerThread, authority: Authority, shown: Certificate | None = None
) -> Iterator[grpc.Channel]:
    pair = (shown.key, shown.certificate) if shown else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.certificate, *pair)
    # Each test's connections are its own.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(server.address, credentials, options) as channel:
        yield channel


def code_of(channel: grpc.Channel) -> grpc.StatusCode:
    try:
        job_pb2_grpc.JobStub(channel).list(job_pb2.JobsQuery(), metadata=TENANT, timeout=5)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_a_client_that_trusts_the_authority_is_served(
    make_settings: MakeSettings, authority: Authority
) -> None:
    with server_of(make_settings()) as server, connected(server, authority) as channel:
        assert code_of(channel) is grpc.StatusCode.OK


def test_a_client_that_trusts_another_authority_does_not_connect(
    make_settings: MakeSettings,
) -> None:
    with server_of(make_settings()) as server, connected(server, Authority("other")) as channel:
        assert code_of(channel) is grpc.StatusCode.UNAVAILABLE


def test_a_client_without_tls_is_not_served(make_settings: MakeSettings) -> None:
    with server_of(make_settings()) as server, grpc.insecure_channel(server.address) as channel:
        assert code_of(channel) is grpc.StatusCode.UNAVAILABLE


def test_mutual_tls_serves_clients_with_a_certificate_of_the_authority_alone(
    make_settings: MakeSettings, authority: Authority
) -> None:
    ours, strange = authority.issue("client"), Authority("other").issue("client")
    with server_of(make_settings(mutual=True)) as server:
        with connected(server, authority, ours) as channel:
            assert code_of(channel) is grpc.StatusCode.OK
        with connected(server, authority) as channel:
            assert code_of(channel) is grpc.StatusCode.UNAVAILABLE
        with connected(server, authority, strange) as channel:
            assert code_of(channel) is grpc.StatusCode.UNAVAILABLE


def test_a_new_certificate_is_used_for_new_connections_while_old_ones_go_on(
    make_settings: MakeSettings, authority: Authority, directory: Path
) -> None:
    successor = Authority("successor")
    with server_of(make_settings()) as server, connected(server, authority) as before:
        assert code_of(before) is grpc.StatusCode.OK

        successor.issue().write(directory)

        with connected(server, successor) as after:
            assert code_of(after) is grpc.StatusCode.OK
        with connected(server, authority) as late:
            assert code_of(late) is grpc.StatusCode.UNAVAILABLE
        assert code_of(before) is grpc.StatusCode.OK


def test_a_new_certificate_without_its_key_is_not_used_until_the_key_is_there(
    make_settings: MakeSettings, authority: Authority, directory: Path
) -> None:
    successor = Authority("successor")
    issued = successor.issue()
    with server_of(make_settings()) as server:
        (directory / "server.crt").write_bytes(issued.certificate)
        with connected(server, authority) as channel:
            assert code_of(channel) is grpc.StatusCode.OK

        (directory / "server.key").write_bytes(issued.key)
        with connected(server, successor) as channel:
            assert code_of(channel) is grpc.StatusCode.OK


def test_files_that_do_not_do_are_refused_at_start(
    make_settings: MakeSettings, directory: Path
) -> None:
    (directory / "server.key").write_text("no key")

    with pytest.raises(CannotStart, match="There is no unencrypted key"):
        ServerThread(make_settings()).__enter__()


def health(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inventory_job", "health", "--service", "", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_the_health_command_asks_a_server_with_tls(
    make_settings: MakeSettings, directory: Path
) -> None:
    with server_of(make_settings()) as server:
        options = ["--endpoint", server.address, "--tls", "--ca-file", str(directory / "ca.crt")]
        answered = health(*options)
        unanswered = health("--endpoint", server.address, "--timeout", "1")

    assert (answered.returncode, answered.stdout) == (0, "SERVING\n")
    assert unanswered.returncode == 1


def test_the_health_command_shows_a_certificate(
    make_settings: MakeSettings, directory: Path, authority: Authority
) -> None:
    certificate, key = authority.issue("probe").write(directory, "probe")
    shown = ["--certificate-file", str(certificate), "--key-file", str(key)]
    with server_of(make_settings(mutual=True)) as server:
        options = ["--endpoint", server.address, "--tls", "--ca-file", str(directory / "ca.crt")]
        answered = health(*options, *shown)
        started = time.monotonic()
        unanswered = health(*options, "--timeout", "1")

    assert (answered.returncode, answered.stdout) == (0, "SERVING\n")
    assert unanswered.returncode == 1
    assert time.monotonic() - started < 20


def test_the_health_command_says_which_file_does_not_do(tmp_path: Path) -> None:
    junk = tmp_path / "ca.crt"
    junk.write_text("junk")

    refused = health("--tls", "--ca-file", str(junk))

    assert refused.returncode == 1
    assert refused.stderr == f"inventory-job: There is no certificate in PEM form in {junk}.\n"


@pytest.mark.parametrize(
    "arguments", [["--ca-file", "x"], ["--tls", "--key-file", "x"]], ids=["no tls", "half a pair"]
)
def test_the_health_command_refuses_options_that_do_not_fit(arguments: list[str]) -> None:
    assert health(*arguments).returncode == 2

"""A server that is not ready says why: in its log, to `/readyz` and to `inventory-job health`."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from inventory_job.embedded.data_directory import wait_until
from tests.support.certificates import Authority
from tests.support.guarded_set import GuardedReplicaSet
from tests.support.replica_set import Member, free_ports
from tests.support.serving import Serving
from tests.support.shell import Shell

PASSWORD = "not-the-password"
HTTP: dict[str, Any] = {"http": "true", "http_port": 0, "server_selection_seconds": 1}


@dataclass(frozen=True)
class Told:
    """What a server says of its database."""

    entry: dict[str, Any]
    readyz: httpx.Response
    health: str

    @property
    def everything(self) -> str:
        return f"{self.entry}{self.readyz.text}{self.health}"


def told_of(uri: str, kind: str | None = None) -> Told:
    """What a server over that database says, once it knows; given a `kind`, once it says that."""
    with Serving(uri, **HTTP) as serving:
        entry = serving.await_entry("database is not usable")
        while kind is not None and entry["kind"] != kind:
            entry = serving.await_entry("database is not usable")
        http_address = serving.http_address
        readyz = httpx.get(f"http://{http_address}/readyz")
        health = Shell()("health", "--endpoint", serving.address)
    assert health.exit_code == 1
    return Told(entry, readyz, health.output)


def check(told: Told, kind: str, host: str, words: str) -> None:
    """All of them say the same."""
    assert told.entry["level"] == "warning"
    assert (told.entry["kind"], told.entry["host"]) == (kind, host)
    assert words in told.entry["reason"]
    sentence = f"the database is not usable: {kind}: {host}: {told.entry['reason']}"
    assert told.readyz.status_code == 503
    assert told.readyz.json()["message"] == (
        f"ERROR_UNAVAILABLE: Server is unavailable. (reason = {sentence})"
    )
    assert told.health == f"NOT_SERVING: {sentence}\n"
    assert "Topology" not in told.everything
    assert "configured timeouts" not in told.everything


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedReplicaSet]:
    with GuardedReplicaSet(tmp_path_factory.mktemp("guarded"), size=1) as members:
        yield members


def test_a_wrong_password(guarded: GuardedReplicaSet) -> None:
    told = told_of(guarded.uri.replace(guarded.password, PASSWORD))

    check(told, "login refused", guarded.members[0].host, "Authentication failed.")
    assert PASSWORD not in told.everything


def test_tls_against_a_server_without(guarded: GuardedReplicaSet) -> None:
    told = told_of(f"{guarded.uri}&tls=true")

    check(told, "TLS failed", guarded.members[0].host, "SSL handshake failed")
    assert told.entry["reason"].count(guarded.members[0].host) == 0
    assert guarded.password not in told.everything


def test_another_name_of_the_replica_set(guarded: GuardedReplicaSet) -> None:
    [(option, name)] = [
        part.split("=") for part in guarded.uri.split("?")[1].split("&") if "replicaSet" in part
    ]
    told = told_of(guarded.uri.replace(f"{option}={name}", f"{option}=other"))

    check(told, "no suitable server", "unknown", "is in the replica set 'other'")


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    authority = Authority()
    issued = authority.issue()
    (tmp_path / "server.pem").write_bytes(issued.certificate + issued.key)
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    (tmp_path / "other.crt").write_bytes(Authority("other").certificate)
    options = (
        "--tlsMode=requireTLS",
        f"--tlsCertificateKeyFile={tmp_path / 'server.pem'}",
        f"--tlsCAFile={tmp_path / 'ca.crt'}",
        "--tlsAllowConnectionsWithoutCertificates",
    )
    mongod = Member(tmp_path / "data", free_ports(1)[0], set_name=None, options=options)
    mongod.start()
    try:
        other = f"mongodb://{mongod.host}/?tls=true&tlsCAFile={tmp_path / 'other.crt'}"
        trusted = f"mongodb://{mongod.host}/?tls=true&tlsCAFile={tmp_path / 'ca.crt'}"
        with Serving(trusted, **HTTP) as serving:
            serving.await_entry("database is usable")
        untrusted = told_of(other)
        plain = told_of(f"mongodb://{mongod.host}/")
    finally:
        mongod.kill()

    check(untrusted, "TLS failed", mongod.host, "certificate verify failed")
    check(plain, "connection lost", mongod.host, "closed")


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("mongodb://nowhere.invalid/", "nowhere.invalid:27017"),
        ("mongodb+srv://user:not-the-password@cluster.nowhere.invalid/", "cluster.nowhere.invalid"),
    ],
    ids=["address", "srv"],
)
def test_a_name_that_cannot_be_looked_up(uri: str, host: str) -> None:
    told = told_of(uri)

    check(told, "name not found", host, "")
    assert PASSWORD not in told.everything


def test_no_server() -> None:
    [port] = free_ports(1)

    check(
        told_of(f"mongodb://user:{PASSWORD}@127.0.0.1:{port}/"),
        "no connection",
        f"127.0.0.1:{port}",
        "Connect call failed",
    )


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server of something else, which answers whatever it reads and hangs up."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no MongoDB", "no MongoDB server"),
        (b"", "connection lost", "closed"),
    ],
)
def test_a_server_that_is_no_mongodb(answer: bytes, kind: str, words: str) -> None:
    # Of an answer that comes before it reads, the driver sees the end of the connection alone.
    with answering(answer) as port:
        told = told_of(f"mongodb://127.0.0.1:{port}/", kind)

    check(told, kind, f"127.0.0.1:{port}", words)


def test_a_set_without_the_member_that_reads_are_for(tmp_path: Path) -> None:
    """One that has not been initiated."""
    mongod = Member(tmp_path / "data", free_ports(1)[0])
    mongod.start()
    try:
        assert wait_until(mongod.answers, 45.0)
        told = told_of(f"mongodb://{mongod.host}/?directConnection=false")
    finally:
        mongod.kill()

    check(told, "no suitable server", mongod.host, "RSGhost")


def test_it_is_logged_when_it_changes_and_not_otherwise(tmp_path: Path) -> None:
    mongod = Member(tmp_path / "data", free_ports(1)[0], set_name=None)
    with Serving(f"mongodb://{mongod.host}/", **HTTP) as serving:
        serving.await_entry("database is not usable")
        time.sleep(5.0)
        mongod.start()
        try:
            serving.await_entry("database is usable")
            with mongod.suspended():
                serving.await_entry("database is not usable")
        finally:
            mongod.kill()
        serving.read_to_the_end()

    kinds = [
        entry.get("kind", "usable")
        for entry in serving.entries
        if entry["event"] in {"database is not usable", "database is usable"}
    ]
    assert kinds[:3] == ["no connection", "usable", "no answer"]

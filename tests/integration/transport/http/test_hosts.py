"""Requests over HTTP are for one host, and for one that the server is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from inventory_job.settings import Settings
from tests.support.http_service import HttpPort, client_of, connected, status_of
from tests.support.running import server_of
from tests.support.store import Store
from tests.support.tokens import Issuer

LIST = "/inventory/v1/job/list"
TENANT = {"content-type": "application/json", "x-domain-id": "domain-1"}


@pytest.fixture(scope="module")
def client(database: Store) -> Iterator[httpx.Client]:
    with client_of(database) as opened:
        yield opened


def test_a_name_that_is_not_the_servers_is_refused(database: Store) -> None:
    options = HttpPort(hosts=("127.0.0.1", "localhost", "[::1]"))
    with client_of(database, options) as http:
        rebound = http.post(LIST, json={}, headers=TENANT | {"host": "evil.example:8080"})
        bracketed = http.post(LIST, json={}, headers=TENANT | {"host": "[::1].evil.example"})
        local = http.post(LIST, json={}, headers=TENANT | {"host": "LOCALHOST:8080"})
        numeric = http.post(LIST, json={}, headers=TENANT | {"host": "[::1]:8080"})

    assert rebound.status_code == 421
    assert bracketed.status_code == 400
    assert "key = host" in status_of(rebound)["message"]
    assert (local.status_code, numeric.status_code) == (200, 200)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_a_server_on_a_loopback_address_answers_to_that_address(host: str) -> None:
    settings = Settings(
        port=0,
        http=True,
        http_host=host,
        http_port=0,
        mongo_uri=SecretStr("mongodb://127.0.0.1:1/"),
        server_selection_seconds=0.05,
    )
    with server_of(settings) as server:
        own = httpx.get(f"http://{server.http_address}/healthz")
        other = httpx.get(f"http://{server.http_address}/healthz", headers={"host": "127.0.0.3"})

    assert (own.status_code, other.status_code) == (200, 421)


def test_without_authentication_a_server_answers_to_its_names_alone() -> None:
    settings = Settings(
        port=0,
        http=True,
        http_host="0.0.0.0",
        http_port=0,
        http_hosts=("Jobs.example", "10.0.0.7", "fd00::7"),
        allow_remote_without_auth=True,
        mongo_uri=SecretStr("mongodb://127.0.0.1:1/"),
        server_selection_seconds=0.05,
    )
    with server_of(settings) as server:
        statuses = {
            host: httpx.get(
                f"http://127.0.0.2:{server.http_port}/healthz", headers={"host": host}
            ).status_code
            for host in (
                *("127.0.0.1", "localhost:8080", "127.0.0.2:1", "jobs.example:80", "[fd00::7]"),
                *(
                    "10.0.0.7",
                    "evil.example",
                    "evil.example:8080",
                    "127.0.0.3",
                    "jobs.example.evil",
                ),
            )
        }

    assert [host for host, status in statuses.items() if status == 200] == [
        *("127.0.0.1", "localhost:8080", "127.0.0.2:1", "jobs.example:80", "[fd00::7]"),
        "10.0.0.7",
    ]
    assert {status for status in statuses.values() if status != 200} == {421}


def test_with_authentication_a_server_answers_to_any_name_unless_names_are_configured(
    tmp_path: Path,
) -> None:
    issuer = Issuer("domain-1")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"domain-1": issuer.jwk}))
    settings = Settings(
        port=0,
        http=True,
        http_host="0.0.0.0",
        http_port=0,
        auth_mode="jwt",
        auth_key_file=keys,
        mongo_uri=SecretStr("mongodb://127.0.0.1:1/"),
        server_selection_seconds=0.05,
    )
    for names, expected in (((), 200), (("jobs.example",), 421)):
        with server_of(settings.model_copy(update={"http_hosts": names})) as server:
            answer = httpx.get(
                f"http://127.0.0.1:{server.http_port}/healthz", headers={"host": "other.example"}
            )
        assert answer.status_code == expected


@pytest.mark.parametrize(
    ("hosts", "version", "status"),
    [
        (["a.example", "a.example"], "1.1", 400),
        (["a.example", "b.example"], "1.1", 400),
        ([], "1.1", 400),
        (["a b"], "1.1", 400),
        (["a.example/x"], "1.1", 400),
        (["user@a.example"], "1.1", 400),
        (["a.example:x"], "1.1", 400),
        (["[::1"], "1.1", 400),
        ([], "1.0", 200),
        (["a.example:80"], "1.1", 200),
        (["[::1]:80"], "1.1", 200),
    ],
)
def test_a_request_is_for_one_host(
    client: httpx.Client, hosts: list[str], version: str, status: int
) -> None:
    headers = "".join(f"Host: {host}\r\n" for host in hosts)
    request = f"GET /healthz HTTP/{version}\r\n{headers}Connection: close\r\n\r\n"
    with connected(str(client.base_url).rstrip("/")) as connection:
        connection.sendall(request.encode())
        answer = connection.makefile("rb").read()

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())

"""Connections to the HTTP port: silent, endless, no HTTP, too many of them."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from inventory_job.auth.callers import Caller
from inventory_job.errors import Unauthenticated
from inventory_job.transport.listening import PortInUse, bound_sockets
from tests.support.http_service import LIMITS, LIST, HttpPort, connected, served
from tests.support.raw_http import TENANT, head, received
from tests.support.store import Store

HASTY = HttpPort(limits=replace(LIMITS, seconds=0.3))


def test_a_client_that_does_not_send_its_headers_is_cut_off(database: Store) -> None:
    with served(database, HASTY) as origin, connected(origin) as connection:
        connection.sendall(head(LIST, 2, last=""))

        assert received(connection) == b""


def test_a_client_that_says_nothing_is_cut_off(database: Store) -> None:
    with served(database, HASTY) as origin, connected(origin) as connection:
        assert received(connection) == b""


def test_a_client_that_falls_silent_in_its_second_request_is_cut_off(database: Store) -> None:
    with served(database, HASTY) as origin, connected(origin) as connection:
        connection.sendall(head(LIST, 2) + b"{}")
        answer = connection.recv(65536)
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        connection.sendall(b"POST /inv")

        assert received(connection) == b""


def test_a_body_that_does_not_arrive_ends_with_408(database: Store) -> None:
    with (
        served(database, HASTY) as origin,
        connected(origin) as connection,
        capture_logs(processors=[structlog.contextvars.merge_contextvars]) as entries,
    ):
        connection.sendall(head(LIST, 2) + b"{")

        answer = received(connection)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"it did not arrive within 0.3 seconds" in answer
    assert [e["domain_id"] for e in entries if e["event"] == "call"] == ["domain-busy"]


def test_a_request_sent_behind_another_is_not_logged_as_of_the_same_domain(
    database: Store,
) -> None:
    stranger = head(LIST, 2).replace(b"x-domain-id: domain-busy", b"connection: close")
    with (
        served(database) as origin,
        connected(origin) as connection,
        capture_logs(processors=[structlog.contextvars.merge_contextvars]) as entries,
    ):
        connection.sendall(head(LIST, 2) + b"{}" + stranger + b"{}")
        received(connection)

    calls = [entry for entry in entries if entry["event"] == "call"]
    assert [(call["status"], call.get("domain_id")) for call in calls] == [
        ("OK", "domain-busy"),
        ("INVALID_ARGUMENT", None),
    ]


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\n", b"POST http://[ HTTP/1.1\r\n\r\n"],
    ids=["TLS", "HTTP/2", "no address"],
)
def test_what_is_not_http_is_refused(database: Store, sent: bytes) -> None:
    with served(database) as origin, connected(origin) as connection:
        connection.sendall(sent + b"\r\n\r\n")

        assert received(connection).startswith(b"HTTP/1.1 4")


def test_nothing_is_waited_for_from_a_stranger(database: Store) -> None:
    with (
        served(database, HttpPort(authenticator=Refusing())) as origin,
        connected(origin) as connection,
    ):
        connection.sendall(head(LIST, LIMITS.bytes))

        assert connection.recv(65536).startswith(b"HTTP/1.1 401")


class Refusing:
    """Refuses every caller."""

    async def authenticate(self, *_: object) -> Caller:
        raise Unauthenticated("the signature does not fit")


def test_silent_connections_give_way_to_others(database: Store) -> None:
    with served(database, HttpPort(connections=20)) as origin, ExitStack() as opened:
        silent = [opened.enter_context(connected(origin)) for _ in range(10)]
        httpx.get(origin + "/healthz")  # they are accepted before this one is
        for connection in silent[:5]:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        silent += [opened.enter_context(connected(origin)) for _ in range(15)]

        with httpx.Client(base_url=origin) as http:
            probes = [http.get("/healthz").status_code for _ in range(5)]
        gone = [connection for connection in silent if has_ended(connection)]

    assert probes == [200] * 5
    # Connections without any request were silent for longer than those with one.
    assert set(gone) == {silent[0], *silent[5:10]}


def has_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    return True


def test_headers_without_end_are_cut_off(database: Store) -> None:
    with served(database) as origin, connected(origin) as connection:
        endless = head(LIST, 2, last="") + b"x: " + b"x" * 10_000_000
        with pytest.raises(ConnectionError):
            connection.sendall(endless)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"2\r\n{}\r\n0\r\nx: ", b"x" * 65_536),
        (b"2\r\n{}\r\n0\r\n", b"x: y\r\n" * 10_000),
        (b"2;x=", b"x" * 65_536),
    ],
    ids=["a trailer", "trailers", "an extension of a chunk"],
)
def test_what_comes_beside_a_body_without_end_is_cut_off(
    database: Store, head: bytes, piece: bytes
) -> None:
    with served(database) as origin, connected(origin) as connection:
        start = f"POST {LIST} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(start.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + head)
        with pytest.raises(ConnectionError):
            connection.sendall(piece * (50_000_000 // len(piece)))


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_body_may_come_in_chunks_of_any_size(database: Store, size: int) -> None:
    text = json.dumps({"query": {"keyword": " " * 100_000}}).encode()
    chunks = (text[start : start + size] for start in range(0, len(text), size))
    limits = replace(LIMITS, seconds=60)
    with served(database, HttpPort(limits=limits)) as origin:
        answer = httpx.post(f"{origin}{LIST}", content=chunks, headers=TENANT, timeout=60)

    assert answer.status_code == 400
    assert "key = query.keyword, reason = longer than 4096 bytes" in answer.json()["message"]


def test_a_port_in_use_is_reported(database: Store) -> None:
    with served(database) as origin, pytest.raises(PortInUse, match="Cannot listen on"):
        served(database, HttpPort(port=int(origin.rpartition(":")[2]))).__enter__()


def test_answers_are_sent_at_once() -> None:
    """The event loop sees to it for sockets that say that they are TCP's, and for no others."""
    (bound,) = bound_sockets("127.0.0.1", 0)
    with bound as listening:
        assert listening.proto == socket.IPPROTO_TCP

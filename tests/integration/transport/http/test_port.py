"""The HTTP port under calls that take long, clients that do, and too many of either."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
import structlog
from pymongo import MongoClient
from structlog.testing import capture_logs

from inventory_job.auth.callers import Caller
from inventory_job.deadline import Deadline
from inventory_job.embedded.data_directory import wait_until
from inventory_job.errors import Unauthenticated
from inventory_job.manager import JobManager
from inventory_job.query.plans import ListPlan
from inventory_job.results import Rows, StoredDocument
from inventory_job.transport.limiter import CallLimits
from inventory_job.transport.listening import PortInUse, bound_sockets
from tests.support.http_service import LIMITS, HttpPort, connected, served
from tests.support.store import Store


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    return wait_until(condition, seconds)


LIST, STAT = "/inventory/v1/job/list", "/inventory/v1/job/stat"
TENANT = {"content-type": "application/json", "x-domain-id": "domain-busy"}
BUSY: dict[str, Any] = {
    "query": {
        "aggregate": [
            *({"unwind": {"path": path}} for path in ("a", "b", "c")),
            {"group": {"keys": [{"k": "a", "n": "a"}], "fields": [{"o": "count", "n": "n"}]}},
        ]
    }
}
"""Hundreds of millions of rows: a minute of work at least."""
HASTY = HttpPort(limits=replace(LIMITS, seconds=0.3))


@pytest.fixture(scope="module", autouse=True)
def jobs(database: Store) -> None:
    """A domain in which BUSY takes very long."""
    lists = {name: [*range(300)] for name in "abc"}
    database.jobs.insert_many({"domain_id": "domain-busy", **lists} for _ in range(20))


@pytest.fixture(scope="module")
def running(mongo_uri: str, database_name: str) -> Iterator[Callable[[], int]]:
    """How many commands are at work on the jobs of this module's database."""
    with MongoClient[StoredDocument](mongo_uri) as mongo:

        def count() -> int:
            at_work: list[dict[str, Any]] = [
                {"$currentOp": {}},
                {"$match": {"ns": f"{database_name}.job", "op": {"$in": ["command", "query"]}}},
            ]
            return len(list(mongo.admin.aggregate(at_work)))

        yield count


def head(path: str, length: int, *, last: str = "\r\n") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: test", f"content-length: {length}"]
    lines += [f"{name}: {value}" for name, value in TENANT.items()]
    return ("\r\n".join(lines) + "\r\n" + last).encode()


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


class Held:
    """Lists of the manager, each of which waits for `go_on`."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.waiting = 0

    async def wait(self) -> None:
        self.waiting += 1
        assert await asyncio.to_thread(self.go_on.wait, 10)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    made, find = Held(), JobManager.list

    async def later(manager: JobManager, plan: ListPlan, deadline: Deadline) -> tuple[Rows, int]:
        await made.wait()
        return await find(manager, plan, deadline)

    monkeypatch.setattr(JobManager, "list", later)
    yield made
    made.go_on.set()


def test_a_call_ends_at_its_deadline(database: Store, running: Callable[[], int]) -> None:
    headers = TENANT | {"grpc-timeout": "500m"}

    with served(database) as origin, httpx.Client(base_url=origin) as http:
        response = http.post(STAT, json=BUSY, headers=headers, timeout=10)

    assert response.status_code == 504
    assert response.json()["message"] == "ERROR_REQUEST_TIMEOUT: Request timeout!"
    assert eventually(lambda: running() == 0)


def test_what_a_client_that_has_gone_asked_for_ends(
    database: Store, running: Callable[[], int]
) -> None:
    body = json.dumps(BUSY).encode()
    with served(database) as origin, capture_logs() as entries:
        with connected(origin) as connection:
            connection.sendall(head(STAT, len(body)) + body)
            assert eventually(lambda: running() > 0)

        assert eventually(lambda: running() == 0)
        assert eventually(lambda: [e["status"] for e in entries if e["event"] == "call"] != [])

    assert [entry["status"] for entry in entries if entry["event"] == "call"] == ["CANCELLED"]


def test_a_stopping_port_ends_what_takes_longer_than_the_grace_period(
    database: Store, running: Callable[[], int]
) -> None:
    with ThreadPoolExecutor(1) as threads:
        with served(database, HttpPort(grace_seconds=0.2)) as origin:
            call = threads.submit(httpx.post, origin + STAT, json=BUSY, headers=TENANT, timeout=20)
            assert eventually(lambda: running() > 0)
        assert eventually(lambda: running() == 0)
        assert call.exception() is not None or call.result().status_code >= 500


def test_a_stopping_port_lets_calls_finish(database: Store, held: Held) -> None:
    with ThreadPoolExecutor(1) as threads:
        with served(database, HttpPort(grace_seconds=5)) as origin:
            call = threads.submit(httpx.post, origin + LIST, json={}, headers=TENANT)
            assert eventually(lambda: held.waiting == 1)
            threading.Timer(0.3, held.go_on.set).start()

        assert call.result().status_code == 200


def test_calls_beyond_what_is_held_are_refused_with_a_time_to_come_again(
    database: Store, held: Held
) -> None:
    with (
        served(database, HttpPort(calls=CallLimits(held=1))) as origin,
        ThreadPoolExecutor(1) as threads,
        httpx.Client(base_url=origin) as http,
    ):
        first = threads.submit(httpx.post, origin + LIST, json={}, headers=TENANT)
        assert eventually(lambda: held.waiting == 1)

        second = http.post(LIST, json={}, headers=TENANT)
        probe = http.get("/healthz")
        held.go_on.set()

        assert (second.status_code, second.headers["retry-after"]) == (429, "1")
        assert second.json()["details"][0]["@type"].endswith("google.rpc.RetryInfo")
        assert probe.status_code == 200
        assert first.result().status_code == 200


def test_bodies_are_held_up_to_a_limit_and_given_back(database: Store, held: Held) -> None:
    options = HttpPort(
        calls=CallLimits(running=99, tenant_running=99), limits=replace(LIMITS, bytes=1024)
    )
    full = b"{}".ljust(1024)
    with (
        served(database, options) as origin,
        ThreadPoolExecutor(16) as threads,
        httpx.Client(base_url=origin) as http,
    ):
        calls = [
            threads.submit(httpx.post, origin + LIST, content=full, headers=TENANT)
            for _ in range(16)
        ]
        assert eventually(lambda: held.waiting == 16)

        refused = http.post(LIST, content=full, headers=TENANT)
        held.go_on.set()
        answered = [call.result().status_code for call in calls]
        after = [http.post(LIST, content=full, headers=TENANT).status_code for _ in range(40)]

    assert refused.status_code == 429
    assert set(answered + after) == {200}


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


def test_connections_with_a_request_under_way_are_not_closed_for_others(
    database: Store, held: Held
) -> None:
    with (
        served(database, HttpPort(connections=2)) as origin,
        ThreadPoolExecutor(2) as threads,
    ):
        calls = [
            threads.submit(httpx.post, origin + LIST, json={}, headers=TENANT) for _ in range(2)
        ]
        assert eventually(lambda: held.waiting == 2)
        with connected(origin) as connection:
            assert received(connection) == b""
        held.go_on.set()

        assert [call.result().status_code for call in calls] == [200, 200]


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

"""Connections over HTTP: how many there are, and when those of slow clients are ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from inventory_job.transport.http.connections import Connections

MOST = 3
REQUEST_SECONDS, UNREAD_SECONDS = 5.0, 20.0
SERVER, OTHER_SERVER = ("192.0.2.8", 80), ("192.0.2.9", 80)


class FakeTransport(asyncio.Transport):
    """A connection from a port of the other end; what was written is what has not been taken."""

    def __init__(self, port: int, to: tuple[str, int]) -> None:
        super().__init__({"peername": ("192.0.2.1", port, 0, 0), "sockname": (*to, 0, 0)})
        self.buffered_bytes = 0
        self.ended = ""
        self.has_ended = asyncio.Event()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high, low) == (16 * 1024, None)

    def get_write_buffer_size(self) -> int:
        return self.buffered_bytes

    def close(self) -> None:
        self.ended = self.ended or "closed"
        self.has_ended.set()

    def abort(self) -> None:
        self.ended = "aborted"


class FakeProtocol(asyncio.Protocol):
    """What comes from a connection."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.events.append(data)

    def eof_received(self) -> bool:
        self.events.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")


class Client:
    """One connection, made."""

    def __init__(self, connections: Connections, port: int, to: tuple[str, int] = SERVER) -> None:
        self.inner = FakeProtocol()
        self.outer: Any = connections.bounding(lambda: self.inner)()
        self.transport = FakeTransport(port, to)
        self.outer.connection_made(self.transport)

    def send(self, data: bytes = b"GET / HTTP/1.1\r\n") -> None:
        self.outer.data_received(data)

    def look(self, seconds: float) -> str:
        """How the connection has ended, if it has, so long from now."""
        now = time.monotonic() + seconds
        self.outer.look(now, REQUEST_SECONDS, UNREAD_SECONDS)
        return self.transport.ended


class Requests:
    """Requests under way, by the ports of their connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._begun: dict[int, ExitStack] = {}

    def begin(self, port: int) -> None:
        self._begun[port] = begun = ExitStack()
        begun.enter_context(self._connections.request_of(("192.0.2.1", port), SERVER))

    def end(self, port: int) -> None:
        self._begun.pop(port).close()


def in_loop(test: Callable[[Connections], Awaitable[None]]) -> Callable[[], None]:
    """A test that gets the connections of a port, in an event loop."""

    async def run() -> None:
        await test(Connections(MOST, REQUEST_SECONDS, UNREAD_SECONDS))

    def wrapper() -> None:
        asyncio.run(run())

    wrapper.__name__ = getattr(test, "__name__", "test")
    return wrapper


@in_loop
async def test_everything_is_passed_on(connections: Connections) -> None:
    client = Client(connections, 1)

    client.send(b"some")
    client.outer.pause_writing()
    client.outer.resume_writing()
    keeps_open = client.outer.eof_received()
    client.outer.connection_lost(None)

    assert client.inner.events == ["made", b"some", "pause", "resume", "eof", "lost"]
    assert keeps_open is True


# How many


@in_loop
async def test_beyond_the_limit_the_one_that_is_silent_for_longest_ends(
    connections: Connections,
) -> None:
    requests = Requests(connections)
    clients = [Client(connections, port) for port in range(MOST)]
    requests.begin(0)
    requests.begin(1)
    requests.end(1)

    clients += [Client(connections, 8), Client(connections, 9)]

    assert [client.transport.ended for client in clients] == ["", "aborted", "aborted", "", ""]
    requests.end(0)


@in_loop
async def test_beyond_the_limit_the_latest_ends_while_all_have_requests(
    connections: Connections,
) -> None:
    requests = Requests(connections)
    clients = [Client(connections, port) for port in range(MOST)]
    for port in range(MOST):
        requests.begin(port)

    clients.append(Client(connections, 8))

    assert [client.transport.ended for client in clients] == ["", "", "", "aborted"]
    for port in range(MOST):
        requests.end(port)


@in_loop
async def test_connections_that_come_together_keep_within_the_limit(
    connections: Connections,
) -> None:
    clients = [Client(connections, port) for port in range(10)]

    open_clients = [client for client in clients if not client.transport.ended]

    assert open_clients == clients[-MOST:]


@in_loop
async def test_connections_that_ended_do_not_count(connections: Connections) -> None:
    for port in range(10):
        client = Client(connections, port)
        client.outer.connection_lost(None)
        assert client.transport.ended == ""


@in_loop
async def test_all_connections_of_a_port_that_is_used_again_count(connections: Connections) -> None:
    """The server learns of a reset late while it does not read: the next one comes before that."""
    for port in range(MOST - 1):
        reset = Client(connections, port)
        Client(connections, port)
        reset.outer.connection_lost(None)
    Client(connections, MOST - 1)
    held = Requests(connections)
    for port in range(MOST):
        held.begin(port)

    assert Client(connections, MOST).transport.ended == "aborted"


# Requests that do not come


@in_loop
async def test_a_connection_without_a_request_is_closed(connections: Connections) -> None:
    client = Client(connections, 1)

    assert client.look(REQUEST_SECONDS - 1) == ""
    assert client.look(REQUEST_SECONDS + 1) == "closed"


@in_loop
async def test_a_request_whose_headers_do_not_end_is_closed_however_many_come(
    connections: Connections,
) -> None:
    client = Client(connections, 1)
    for _ in range(100):
        client.send(b"X: 1\r\n")

    assert client.look(REQUEST_SECONDS - 1) == ""
    assert client.look(REQUEST_SECONDS + 1) == "closed"


@in_loop
async def test_a_request_under_way_may_take_long(connections: Connections) -> None:
    client, requests = Client(connections, 1), Requests(connections)
    client.send()
    requests.begin(1)
    client.send(b"body")

    assert client.look(1000) == ""
    requests.end(1)
    assert client.look(1000) == "", "how long it may stay without another is uvicorn's"


@in_loop
async def test_a_second_request_has_its_own_time(connections: Connections) -> None:
    client, requests = Client(connections, 1), Requests(connections)
    client.send()
    requests.begin(1)
    requests.end(1)

    client.send()

    assert client.look(REQUEST_SECONDS - 1) == ""
    assert client.look(REQUEST_SECONDS + 1) == "closed"


@in_loop
async def test_a_request_is_of_the_connection_that_it_came_on(connections: Connections) -> None:
    """A client may use one port for connections to two addresses of the server."""
    requests = Requests(connections)
    client, other = Client(connections, 1), Client(connections, 1, to=OTHER_SERVER)

    requests.begin(1)

    assert client.look(REQUEST_SECONDS + 1) == ""
    assert other.look(REQUEST_SECONDS + 1) == "closed"
    requests.end(1)


@in_loop
async def test_a_request_may_come_on_no_known_connection(connections: Connections) -> None:
    requests = Requests(connections)

    requests.begin(1)
    requests.end(1)


# Answers that are not taken


@in_loop
async def test_an_answer_that_is_not_taken_aborts_the_connection(connections: Connections) -> None:
    client, requests = Client(connections, 1), Requests(connections)
    requests.begin(1)
    assert client.look(0) == ""
    client.transport.buffered_bytes = 1000
    assert client.look(UNREAD_SECONDS - 1) == ""

    assert client.look(UNREAD_SECONDS + 1) == "aborted"
    requests.end(1)


@in_loop
async def test_an_answer_that_is_taken_slowly_goes_on(connections: Connections) -> None:
    client, requests = Client(connections, 1), Requests(connections)
    requests.begin(1)
    for step in range(10):
        client.transport.buffered_bytes = 1000 - step
        assert client.look(step * (UNREAD_SECONDS - 1)) == ""
    requests.end(1)


@in_loop
async def test_an_answer_whose_next_piece_follows_at_once_goes_on(connections: Connections) -> None:
    client, requests = Client(connections, 1), Requests(connections)
    requests.begin(1)
    client.transport.buffered_bytes = 1000
    for step in range(10):
        client.outer.resume_writing()
        assert client.look(step * (UNREAD_SECONDS - 1)) == ""

    last = 9 * (UNREAD_SECONDS - 1)
    assert client.look(last + UNREAD_SECONDS - 1) == ""
    assert client.look(last + UNREAD_SECONDS + 1) == "aborted"
    requests.end(1)


@in_loop
async def test_an_answer_after_a_long_pause_has_its_own_time(connections: Connections) -> None:
    client, requests = Client(connections, 1), Requests(connections)
    requests.begin(1)
    assert client.look(1000) == ""
    client.transport.buffered_bytes = 1000

    assert client.look(1000 + UNREAD_SECONDS - 1) == ""
    assert client.look(1000 + UNREAD_SECONDS + 1) == "aborted"
    requests.end(1)


# While it looks


def test_connections_are_looked_at_while_they_are_watched() -> None:
    async def run() -> None:
        connections = Connections(MOST, 0.01, UNREAD_SECONDS)
        watching = asyncio.create_task(connections.watch())
        client = Client(connections, 1)
        await asyncio.wait_for(client.transport.has_ended.wait(), 10)
        assert client.transport.ended == "closed"
        watching.cancel()
        late = Client(connections, 2)
        await asyncio.sleep(0.7)
        assert late.transport.ended == ""

    asyncio.run(run())

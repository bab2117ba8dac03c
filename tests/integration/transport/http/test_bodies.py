"""Bodies over HTTP: how they are declared, compressed and bounded."""

from __future__ import annotations

import gzip
import socket
import time
import zlib
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest

from tests.support.http_service import (
    LIMITS,
    LIST,
    MOST_BYTES,
    TENANT,
    HttpPort,
    client_of,
    connected,
    status_of,
)
from tests.support.store import Store


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json;",
        "application/json; charset=utf-8",
        'Application/JSON; Charset="UTF-8"; version=1',
        "application/json; odata=verbose",
        "application/json ;charset=utf8;",
        "application/json; charset=us-ascii",
    ],
)
def test_json_with_any_parameters_is_taken(client: httpx.Client, content_type: str) -> None:
    headers = TENANT | {"content-type": content_type}

    assert client.post(LIST, content=b"{}", headers=headers).status_code == 200


def test_a_body_without_a_length_is_bounded_as_well(client: httpx.Client) -> None:
    pieces = (b" " * 4096 for _ in range(MOST_BYTES // 4096 + 1))

    response = client.post(LIST, content=pieces, headers=TENANT)

    assert response.status_code == 413


def test_a_body_that_is_far_too_large_is_refused_readably(client: httpx.Client) -> None:
    for _ in range(3):
        response = client.post(LIST, content=b" " * 20_000_000, headers=TENANT)

        assert response.status_code == 413


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b'{"job_id": "x"}'),
        gzip.compress(b'{"job_id"') + gzip.compress(b"") + gzip.compress(b': "x"}'),
        b"".join(gzip.compress(bytes([byte])) for byte in b'{"job_id": "x"}' + b" " * 900),
    ],
    ids=["one", "three", "many"],
)
def test_a_compressed_request_is_read(client: httpx.Client, coding: str, content: bytes) -> None:
    """Its members are those of one file."""
    headers = TENANT | {"content-encoding": coding}

    response = client.post(LIST, content=content, headers=headers)

    assert (response.status_code, response.json()) == (200, {})


def test_a_request_that_was_made_to_grow_is_refused(database: Store) -> None:
    content = b'{"query": {"filter": [{}' + b",{}" * 1_000_000 + b"]}}"
    with client_of(database) as http:
        begun = time.process_time()
        plain = http.post(LIST, content=content, headers=TENANT)
        squeezed = http.post(
            LIST, content=gzip.compress(content), headers=TENANT | {"content-encoding": "gzip"}
        )
        # The server is in this process.
        used = time.process_time() - begun

    assert (plain.status_code, squeezed.status_code) == (400, 413)
    assert "more than 50000 values in one request" in status_of(plain)["message"]
    assert "more than 100 times as large as it was compressed" in status_of(squeezed)["message"]
    assert used < 2


def test_as_many_values_as_allowed_are_taken_and_no_more(database: Store) -> None:
    limits = replace(LIMITS, values=100)
    with client_of(database, HttpPort(limits=limits)) as http:
        most, more = (
            http.post(
                LIST,
                json={"query": {"filter": [{"k": "status", "o": "in", "v": ["A"] * count}]}},
                headers=TENANT,
            )
            for count in (94, 95)
        )

    assert most.status_code == 200
    assert "key = body, reason = more than 100 values" in status_of(more)["message"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (gzip.compress(b" " * (MOST_BYTES + 1)), 413),
        (gzip.compress(b"{}")[:-4], 400),
        (gzip.compress(b"{}") + gzip.compress(b"{}")[:-4], 400),
        (gzip.compress(b"{}") + b"{}", 400),
        (gzip.compress(b"") * 1001 + gzip.compress(b"{}"), 400),
        (gzip.compress(b'{"job_id": "' + b"x" * 50_000 + b'"}'), 400),
        (gzip.compress(b"[" + b"1," * 32_000), 400),
        (zlib.compress(b"{}"), 400),
        (b"", 400),
    ],
    ids=[
        "larger than it looks",
        "cut off",
        "the second cut off",
        "followed by something else",
        "very many members",
        "a long text",
        "many values",
        "another form",
        "nothing",
    ],
)
def test_a_compressed_request_is_bounded_and_whole(
    client: httpx.Client, content: bytes, status: int
) -> None:
    headers = TENANT | {"content-encoding": "gzip"}

    assert client.post(LIST, content=content, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("br, GZIP;q=0.5", "gzip"), ("*", "gzip"), ("gzip;q=0", None), ("", None)],
)
def test_answers_are_compressed_for_clients_that_accept_it(
    client: httpx.Client, accepted: str, encoding: str | None
) -> None:
    headers = TENANT | {"accept-encoding": accepted}

    response = client.post(LIST, json={}, headers=headers)

    assert response.headers.get("content-encoding") == encoding
    assert response.json()["total_count"] == 300


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the server closes. It may do so before it has the rest of a request that
    it has refused, which the system tells as a reset behind the answer."""
    answer = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize("at_once", [True, False])
def test_what_comes_behind_a_body_is_no_header(client: httpx.Client, at_once: bool) -> None:
    head = (
        f"POST {LIST} HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    rest = "2\r\n{}\r\n0\r\nx-domain-id: domain-1\r\ncontent-encoding: gzip\r\n\r\n"
    with connected(str(client.base_url).rstrip("/")) as connection:
        for part in [head + rest] if at_once else [head, rest]:
            connection.sendall(part.encode())
        answer = read_all(connection)

    # Of no domain, and not compressed.
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"ERROR_REQUIRED_PARAMETER" in answer


def test_a_body_with_two_ends_is_refused_and_ends_the_connection(client: httpx.Client) -> None:
    request = (
        f"POST {LIST} HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\n"
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    with connected(str(client.base_url).rstrip("/")) as connection:
        connection.sendall(request.encode())
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"key = content-length" in answer

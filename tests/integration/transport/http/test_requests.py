"""What a client sends over HTTP, well or badly, and what it gets."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from inventory_job.auth.callers import AnonymousAuthenticator, Authenticator, Caller
from inventory_job.auth.keys import parse_key
from inventory_job.auth.tokens import TokenAuthenticator
from inventory_job.errors import Unauthenticated
from tests.support.http_service import (
    LIMITS,
    LIST,
    MOST_BYTES,
    TENANT,
    HttpPort,
    client_of,
    status_of,
)
from tests.support.key_sources import Keys
from tests.support.store import Store
from tests.support.tokens import Issuer


def test_a_job_is_listed(client: httpx.Client) -> None:
    response = client.post(LIST, json={"query": {"only": ["status"]}}, headers=TENANT)

    assert response.status_code == 200
    assert response.json()["total_count"] == 300
    assert response.json()["results"][0] == {"status": "SUCCESS"}


def test_delete_answers_an_empty_object(client: httpx.Client, database: Store) -> None:
    database.jobs.insert_one({"job_id": "job-gone", "domain_id": "domain-2"})
    headers = TENANT | {"x-domain-id": "domain-2"}

    response = client.post("/inventory/v1/job/delete", json={"job_id": "job-gone"}, headers=headers)

    assert (response.status_code, response.json()) == (200, {})
    assert database.jobs.count_documents({"job_id": "job-gone"}) == 0


@pytest.mark.parametrize(
    ("headers", "content", "expected", "said"),
    [
        (
            {},
            b'{"query":\n {]',
            (400, 3),
            "key = body, reason = it is not JSON: expecting property",
        ),
        ({}, b'{"query":\n {]', (400, 3), "(line 2, column 3)"),
        ({}, b"", (400, 3), "key = body, reason = it is not JSON: expecting value (line 1, col"),
        ({}, b'{"job_id": "\xff"}', (400, 3), "key = body, reason = it is not Unicode"),
        ({}, b"[" * 5000, (400, 3), "key = body, reason = it is nested too deeply"),
        ({}, b'{"job_id": "a", "jobId": "a"}', (400, 3), "key = jobId, reason = 'job_id' says"),
        ({}, b"[]", (400, 3), "key = body, type = dict"),
        ({}, b'{"jobid": "a"}', (400, 3), "key = jobid, reason = there is no such field"),
        ({"content-type": "text/plain"}, b"{}", (415, 3), "key = content-type"),
        ({"content-type": ""}, b"{}", (415, 3), "key = content-type"),
        ({"content-type": "application/json; charset=latin-1"}, b"{}", (415, 3), "in UTF-8"),
        ({"content-type": "application/json; charset=x"}, b"{}", (415, 3), "key = content-type"),
        ({"content-type": "application/jsonx"}, b"{}", (415, 3), "key = content-type"),
        ({"content-type": "text/plain; application/json"}, b"{}", (415, 3), "key = content-type"),
        ({"content-encoding": "br"}, b"{}", (415, 3), "key = content-encoding"),
        ({"content-encoding": "gzip"}, b"{}", (400, 3), "it is not compressed by gzip"),
        ({}, b" " * (MOST_BYTES + 1), (413, 8), f"more than {MOST_BYTES} bytes"),
        ({"x-request-timeout": "soon"}, b"{}", (400, 3), "key = x-request-timeout"),
        ({"x_domain_id": "domain-2"}, b"{}", (400, 3), "key = x_domain_id, reason = it is given"),
    ],
    ids=[
        "malformed",
        "malformed, and where",
        "empty",
        "not Unicode",
        "deep",
        "a field under both names",
        "a list",
        "unknown field",
        "text",
        "no content type",
        "another charset",
        "no charset",
        "nearly JSON",
        "JSON as a parameter",
        "unknown encoding",
        "not compressed",
        "too large",
        "bad timeout",
        "two tenants",
    ],
)
def test_a_bad_request_is_refused_with_the_reason(
    client: httpx.Client,
    headers: dict[str, str],
    content: bytes,
    expected: tuple[int, int],
    said: str,
) -> None:
    response = client.post(LIST, content=content, headers=TENANT | headers)

    assert (response.status_code, status_of(response)["code"]) == expected
    assert said in status_of(response)["message"]


@pytest.mark.parametrize("verb", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_verb_is_refused(client: httpx.Client, verb: str) -> None:
    response = client.request(verb, LIST)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert "key = method" in status_of(response)["message"]


@pytest.mark.parametrize(
    "path", ["/inventory/v1/job/lists", "/inventory/v1/job/list/", "/x", "/docs/../../etc/passwd"]
)
def test_another_path_is_refused(client: httpx.Client, path: str) -> None:
    response = client.post(path, json={}, headers=TENANT)

    assert response.status_code == 404
    assert status_of(response)["code"] == 5


def test_a_request_keeps_its_id(client: httpx.Client) -> None:
    with capture_logs() as entries:
        response = client.post(LIST, json={}, headers=TENANT | {"x-request-id": "abc-1"})

    assert response.headers["x-request-id"] == "abc-1"
    (line,) = [entry for entry in entries if entry["event"] == "call"]
    assert line["method"] == "/spaceone.api.inventory.v1.Job/list"
    assert (line["status"], line["transport"]) == ("OK", "http")


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'a"b', "<b>"])
def test_an_id_that_might_do_harm_is_replaced(client: httpx.Client, given: str) -> None:
    response = client.post(LIST, json={}, headers=TENANT | {"x-request-id": given})

    assert response.headers["x-request-id"] != given
    assert len(response.headers["x-request-id"]) == 32


def test_a_refused_request_is_logged_with_its_status(client: httpx.Client) -> None:
    with capture_logs() as entries:
        client.post(LIST, content=b"", headers=TENANT | {"content-type": "text/plain"})

    assert [entry["status"] for entry in entries if entry["event"] == "call"] == [
        "INVALID_ARGUMENT"
    ]


@pytest.mark.parametrize(
    ("role", "content", "media_type", "status"),
    [
        ("NONE", b"{}", "application/json", 403),
        ("DOMAIN_ADMIN", b" " * (MOST_BYTES + 1), "application/json", 413),
        ("DOMAIN_ADMIN", b"{}", "text/plain", 415),
    ],
)
def test_a_refused_request_is_logged_with_the_domain_of_its_caller(
    database: Store, role: str, content: bytes, media_type: str, status: int
) -> None:
    issuer = Issuer("domain-1")
    options = HttpPort(
        authenticator=TokenAuthenticator(Keys(issuer)), limits=replace(LIMITS, bytes=MOST_BYTES)
    )
    headers = {"content-type": media_type, "token": issuer.token(role)}
    with (
        client_of(database, options) as http,
        capture_logs(processors=[structlog.contextvars.merge_contextvars]) as entries,
    ):
        assert http.post(LIST, content=content, headers=headers).status_code == status

    assert [entry["domain_id"] for entry in entries if entry["event"] == "call"] == ["domain-1"]


def test_other_origins_may_not_call(client: httpx.Client) -> None:
    preflight = {"origin": "https://other.example", "access-control-request-method": "POST"}

    response = client.options(LIST, headers=preflight)

    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_origins_that_are_configured_may_call(database: Store) -> None:
    options = HttpPort(cors_origins=("https://ours.example",))
    preflight = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,token,x-domain-id",
    }
    with client_of(database, options) as http:
        ours = http.options(LIST, headers=preflight | {"origin": "https://ours.example"})
        other = http.options(LIST, headers=preflight | {"origin": "https://other.example"})

    assert ours.status_code == 200
    assert ours.headers["access-control-allow-origin"] == "https://ours.example"
    assert "access-control-allow-origin" not in other.headers


class Refusing:
    """Refuses every caller."""

    async def authenticate(self, *_: object) -> Caller:
        raise Unauthenticated("the token is not a JSON Web Token")


def test_callers_are_looked_at_before_what_they_sent(database: Store) -> None:
    with client_of(database, HttpPort(authenticator=Refusing())) as http:
        response = http.post(LIST, content=b"{", headers=TENANT)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert status_of(response)["message"].startswith("ERROR_AUTHENTICATE_FAILURE: ")


class Noticed:
    """An authenticator that a test can wait for; what the log would say of the call then."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self.has_identified = threading.Event()
        self.logged: list[dict[str, Any]] = []

    async def authenticate(self, metadata: Iterable[tuple[str, str]]) -> Caller:
        self.logged.append(structlog.contextvars.get_contextvars())
        caller = await self._authenticator.authenticate(metadata)
        self.has_identified.set()
        return caller


def test_a_key_replaced_while_a_body_is_sent_ends_no_call(database: Store) -> None:
    issuer, successor = Issuer("domain-1"), Issuer("domain-1")
    keys = Keys(issuer)
    noticed = Noticed(TokenAuthenticator(keys))
    old, new = (
        {"content-type": "application/json", "token": each.token("DOMAIN_ADMIN")}
        for each in (issuer, successor)
    )

    def body() -> Iterator[bytes]:
        yield b"{"
        assert noticed.has_identified.wait(10)
        keys.known["domain-1"] = parse_key(successor.jwk)
        assert opened.post(LIST, content=b"{}", headers=new).status_code == 200
        yield b"}"

    with client_of(database, HttpPort(authenticator=noticed)) as opened:
        assert opened.post(LIST, content=body(), headers=old).status_code == 200
        assert opened.post(LIST, content=b"{}", headers=old).status_code == 401


def test_nothing_of_another_call_is_logged_while_a_caller_is_identified(
    database: Store,
) -> None:
    noticed = Noticed(AnonymousAuthenticator())
    with client_of(database, HttpPort(authenticator=noticed)) as http:
        for name in "ab":
            headers = TENANT | {"x-request-id": name, "x-domain-id": f"domain-{name}"}
            assert http.post(LIST, json={}, headers=headers).status_code == 200

    assert noticed.logged == [{"request_id": "a"}, {"request_id": "b"}]


class Broken:
    """Fails as a bug does."""

    async def authenticate(self, *_: object) -> Caller:
        raise LookupError("the secret of the house")


def test_the_answer_to_a_bug_is_its_reference_alone(database: Store) -> None:
    with (
        capture_logs() as entries,
        client_of(database, HttpPort(authenticator=Broken())) as http,
    ):
        response = http.post(LIST, json={}, headers=TENANT)

    (entry,) = [entry for entry in entries if entry["event"] == "unexpected error"]
    assert response.status_code == 500
    assert status_of(response)["message"] == (
        f"ERROR_UNKNOWN: An unexpected error occurred. (reference = {entry['reference']})"
    )


def test_a_result_beyond_the_limit_is_refused(database: Store) -> None:
    with client_of(database, HttpPort(max_response_bytes=1024)) as http:
        response = http.post(LIST, json={}, headers=TENANT)

    assert response.status_code == 429
    assert "the response has more than 1024 bytes" in status_of(response)["message"]
    assert "retry-after" not in response.headers


def test_several_calls_share_a_connection(client: httpx.Client) -> None:
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port)
    answers = []
    for body in (b"{}", b"{", b"{}"):
        connection.request("POST", LIST, body, TENANT)
        response = connection.getresponse()
        answers.append((response.status, json.loads(response.read()).get("total_count")))
    connection.close()

    assert answers == [(200, 300), (400, None), (200, 300)]

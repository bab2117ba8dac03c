"""What the HTTP port serves beside calls: description, pages, probes, metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from inventory_job.embedded.demo_data import LARGEST_TENANT
from tests.support.client import SERVICE
from tests.support.http_service import HttpPort, client_of
from tests.support.store import Store


@pytest.fixture(scope="module")
def client(database: Store) -> Iterator[httpx.Client]:
    with client_of(database) as opened:
        yield opened


def test_the_description_is_served(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()

    assert list(described["paths"]) == [
        f"/inventory/v1/job/{method.name}" for method in SERVICE.methods
    ]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_only_what_this_server_has(client: httpx.Client, path: str) -> None:
    page = client.get(path).text

    for reference in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert reference == "data:," or client.get(f"/{reference}").status_code == 200


def test_the_page_names_all_modules_of_its_list_so_that_they_are_loaded_at_once(
    client: httpx.Client,
) -> None:
    named = set(re.findall(r'rel="modulepreload" href="home/([a-z_]+\.js)"', client.get("/").text))

    imported = {
        name
        for module in {*named, "main.js"}
        for name in re.findall(r'from "\./([a-z_]+\.js)"', client.get(f"/home/{module}").text)
    }
    assert named == {*imported, "jobs.js"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_may_load_nothing_from_elsewhere(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers

    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self';" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_file_that_has_not_changed_is_not_sent_again(client: httpx.Client) -> None:
    known = client.get("/docs/swagger-ui.css").headers["etag"]

    again = client.get("/docs/swagger-ui.css", headers={"if-none-match": known})

    assert (again.status_code, again.content) == (304, b"")


def test_files_are_compressed_for_clients_that_accept_it(client: httpx.Client) -> None:
    path = "/docs/swagger-ui-bundle.js"
    small = client.get(path, headers={"accept-encoding": "gzip"})
    plain = client.get(path, headers={"accept-encoding": "identity"})

    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert small.content == plain.content


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/docs/LICENSE", "Apache License"),
        ("/home/LICENSE", "Chart.js Contributors"),
        ("/home/NOTICE", "Jukka Kurkela"),
    ],
)
def test_the_licence_of_what_is_not_ours_is_there(
    client: httpx.Client, path: str, words: str
) -> None:
    assert words in client.get(path).text


def test_no_file_names_a_source_map_that_is_not_there(client: httpx.Client) -> None:
    for path in ("/home/chart.umd.min.js", "/docs/swagger-ui-bundle.js"):
        assert "sourceMappingURL=" not in client.get(path).text[-200:]


@pytest.mark.parametrize(
    "path",
    [
        "/index",
        "/index.html",
        "/home/README.md",
        "/docs/",
        "/docs/README.md",
        "/docs/..%2fapp.py",
        "/app.py",
    ],
)
def test_nothing_but_the_pages_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
def test_probes_tell_a_live_server_from_a_ready_one(
    database: Store, ready: bool, status: int
) -> None:
    options = HttpPort(unready=lambda: None if ready else "the moon is full")
    with client_of(database, options) as http:
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/docs"])
@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_what_is_to_be_read_takes_no_other_verb(client: httpx.Client, path: str, verb: str) -> None:
    answer = client.request(verb, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert "this path takes GET, HEAD" in answer.json()["message"]
    assert client.get(path).status_code == 200
    assert client.head(path).status_code == 200


def test_where_everybody_is_trusted_a_domain_is_offered(database: Store) -> None:
    async def found() -> str:
        return "domain-1"

    with client_of(database, HttpPort(find_domain=found)) as http:
        answer = http.get("/home/entrance.json")

    assert answer.json() == {"auth_mode": "none", "domain": "domain-1"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("mode", ["jwt", "identity"])
def test_where_tokens_are_needed_no_domain_is_looked_for(database: Store, mode: str) -> None:
    async def not_to_be_asked() -> str:
        raise AssertionError

    options = HttpPort(auth_mode=mode, find_domain=not_to_be_asked)
    with client_of(database, options) as http:
        assert http.get("/home/entrance.json").json() == {"auth_mode": mode}


def test_the_description_is_for_the_mode_in_force(database: Store) -> None:
    with client_of(database, HttpPort(auth_mode="jwt")) as http:
        tokens = http.get("/openapi.json").json()
    with client_of(database, HttpPort(auth_mode="none")) as http:
        trusting = http.get("/openapi.json").json()

    assert tokens["security"] == [{"token": []}, {"bearer": []}]
    assert trusting["security"] == [{}]
    assert "example" not in tokens["components"]["parameters"]["x-domain-id"]
    assert trusting["components"]["parameters"]["x-domain-id"]["example"] == LARGEST_TENANT


def test_metrics_are_served(database: Store) -> None:
    with client_of(database, HttpPort(metrics=PlainTextResponse("calls 4"))) as http:
        assert http.get("/metrics").text == "calls 4"

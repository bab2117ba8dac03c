"""The requests on the pages get the answers that stand below them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from inventory_job.query.operators import OPERATORS
from inventory_job.settings import Settings
from tests.support.documents import PAGES, Block, page
from tests.support.page_examples import DOMAIN, stored_jobs, stored_tasks
from tests.support.running import server_of
from tests.support.store import Store

REQUESTS = ("json get", "json list", "json stat", "json analyze", "json delete")
OPERATOR_ROWS = page("docs/query-language.md").rows("operators")


def examples() -> list[tuple[Block, Block]]:
    """Each request with the block after it, which is its answer or its refusal."""
    return [
        (request, shown)
        for page in PAGES
        for request, shown in page.pairs
        if request.kind in REQUESTS
    ]


@pytest.fixture(scope="module")
def http(settings: Settings, database: Store) -> Iterator[httpx.Client]:
    """A client of a server that has the pages' jobs."""
    database.jobs.insert_many(stored_jobs())
    database.job_tasks.insert_many(stored_tasks())
    with (
        server_of(settings.model_copy(update={"http": True, "http_port": 0})) as server,
        httpx.Client(
            base_url=f"http://{server.http_address}/inventory/v1/job/",
            headers={"x-domain-id": DOMAIN},
        ) as client,
    ):
        yield client


@pytest.mark.parametrize(("request_block", "shown"), examples(), ids=str)
def test_a_request_gets_what_is_shown(
    http: httpx.Client, request_block: Block, shown: Block
) -> None:
    method = request_block.kind.removeprefix("json ")

    answer = http.post(method, json=json.loads(request_block.text))

    assert shown.kind == ("json answer" if answer.status_code == 200 else "json refusal")
    assert answer.json() == json.loads(shown.text)


def test_no_request_is_without_an_answer_nor_the_other_way_round() -> None:
    written = [block for page in PAGES for block in page.of_kind(*REQUESTS)]
    shown = [block for page in PAGES for block in page.of_kind("json answer", "json refusal")]

    assert list(zip(written, shown, strict=True)) == examples()


def test_every_operator_is_in_the_table() -> None:
    assert [cells[0].strip("`") for cells in OPERATOR_ROWS] == list(OPERATORS)


@pytest.mark.parametrize(("name", "condition", "jobs"), [(r[0], r[3], r[4]) for r in OPERATOR_ROWS])
def test_an_operator_finds_the_jobs_that_the_table_says(
    http: httpx.Client, name: str, condition: str, jobs: str
) -> None:
    written: dict[str, Any] = json.loads(condition.strip("`").replace("\\|", "|"))
    query = {"filter": [written], "only": ["job_id"], "sort": [{"key": "job_id"}]}

    found = http.post("list", json={"query": query}).json().get("results", [])

    assert written["operator"] == name.strip("`")
    numbers = [job["job_id"].removeprefix("job-") for job in found]
    assert (", ".join(numbers) or "none") == jobs

"""The try-out of the page at `/docs` in a browser, on a real server with demo data."""

from __future__ import annotations

import json

from playwright.sync_api import Locator, expect

from inventory_job.embedded.demo_data import LARGEST_TENANT
from tests.browser.visits import Visit, foreign


def operation(visited: Visit, origin: str, name: str) -> Locator:
    """The opened operation of a method."""
    visited.page.goto(f"{origin}/docs")
    block = visited.page.locator(f"#operations-Job-{name}")
    block.locator(".opblock-summary-control").click()
    return block


def test_a_list_can_be_tried_out(visited: Visit, origin: str) -> None:
    requested = visited.requested()
    block = operation(visited, origin, "list")
    block.get_by_placeholder("x-domain-id").fill(LARGEST_TENANT)
    block.locator("textarea").fill('{"query": {"only": ["job_id"], "page": {"limit": 2}}}')

    block.get_by_role("button", name="Execute").click()

    answer = block.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    shown = json.loads(answer.locator("pre").first.inner_text())
    assert len(shown["results"]) == 2
    assert all(list(job) == ["job_id"] for job in shown["results"])
    assert requested
    assert foreign(requested, origin) == []
    assert visited.complaints == []


def test_a_refused_request_shows_its_status(visited: Visit, origin: str) -> None:
    block = operation(visited, origin, "list")
    block.get_by_placeholder("x-domain-id").fill("")
    block.locator("textarea").fill("{}")

    block.get_by_role("button", name="Execute").click()

    answer = block.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("400")
    expect(answer).to_contain_text("ERROR_REQUIRED_PARAMETER")


def test_an_opened_operation_fits_a_phone(visited: Visit, origin: str) -> None:
    visited.page.set_viewport_size({"width": 390, "height": 844})

    block = operation(visited, origin, "list")

    expect(block.locator(".responses-table").first).to_be_visible()
    assert visited.page.evaluate("document.documentElement.scrollWidth") == 390

"""The list of jobs of the page at `/` as its tests read it."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.sync_api import Page

from tests.browser import scene
from tests.browser.home import awaited

PER_PAGE = 50


def opened(page: Page, origin: str, filters: str = "", domain: str = scene.MANY) -> None:
    """Opens the list of a domain's jobs and awaits it."""
    page.goto(f"{origin}/#view=jobs&domain={domain}&{filters}")
    awaited(page)


def ids(page: Page) -> list[str]:
    """The ids of the jobs shown, in their order."""
    return page.locator("#list a.open").all_text_contents()


def listed(origin: str, domain: str = scene.MANY, **query: Any) -> list[str]:
    """The ids of the first page of a list, by the public call."""
    answer = httpx.post(
        f"{origin}/inventory/v1/job/list",
        json={"query": {"page": {"limit": PER_PAGE}, **query}},
        headers={"x-domain-id": domain},
    )
    return [job["job_id"] for job in answer.json().get("results", [])]

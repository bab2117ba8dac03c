"""The page at `/` as its tests read it, and the same figures made from lists of jobs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
from playwright.sync_api import Locator, Page

from tests.support.tokens import Issuer

Job = dict[str, Any]
_ROWS = """(rows) => rows.map((row) => [
  (row.querySelector(".name") ?? row.querySelector("th")).textContent,
  [...row.querySelectorAll("data")].map(({ value }) => value),
])"""


def opened(page: Page, origin: str, domain: str, span: str = "30d") -> None:
    """Opens the overview of a domain and awaits its answers."""
    page.goto(f"{origin}/#domain={domain}&range={span}")
    awaited(page)


def awaited(page: Page, state: str = "ready") -> None:
    """Awaits that the page has drawn its answers, or is in another state than that."""
    page.wait_for_selector(f'main[data-state="{state}"]')


def give_token(page: Page, token: str) -> None:
    """Types a token in the page's field, and has it taken."""
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")


def open_jobs(page: Page, origin: str, issuer: Issuer) -> None:
    """Opens the list of jobs, as an admin who gives a token."""
    page.goto(f"{origin}/#view=jobs")
    give_token(page, issuer.token("DOMAIN_ADMIN"))
    awaited(page)


def opened_tables(page: Page) -> None:
    """Opens what is to be opened by a click."""
    page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")


def numbers(scope: Locator) -> list[float]:
    """The numbers of `scope` as they are, not as they are shown."""
    values: list[str] = scope.locator("data").evaluate_all("(found) => found.map((d) => d.value)")
    return [float(value) for value in values]


def table(panel: Locator) -> dict[str, list[float]]:
    """The rows of the panel's table: by name, their numbers."""
    rows: list[tuple[str, list[str]]] = panel.locator("tbody tr").evaluate_all(_ROWS)
    assert len(dict(rows)) == len(rows)
    return {name: [float(value) for value in values] for name, values in rows}


def all_jobs(client: httpx.Client, domain: str) -> list[Job]:
    """Every job of a domain, by as many lists as it takes."""
    jobs: list[Job] = []
    for page in count():
        query = {"page": {"start": 1 + 1000 * page, "limit": 1000}}
        answer = client.post(
            "/inventory/v1/job/list", json={"query": query}, headers={"x-domain-id": domain}
        )
        jobs += answer.json().get("results", [])
        if len(jobs) == answer.json().get("total_count", 0):
            return jobs
    raise AssertionError


@dataclass(frozen=True)
class Span:
    """The days that the page shows, as the jobs of a list fall into them."""

    since: datetime
    days: int

    @classmethod
    def shown(cls, page: Page) -> Span:
        """That of the page's own table."""
        days = page.locator("#history tbody time")
        first = str(days.first.get_attribute("datetime"))
        return cls(datetime.fromisoformat(first), days.count())

    def chosen(self, jobs: Iterable[Job]) -> list[Job]:
        """The jobs created in it."""
        until = self.since + timedelta(days=self.days)
        return [job for job in jobs if self.since <= created(job) < until]

    def by_day(self, jobs: Iterable[Job]) -> list[Counter[str]]:
        """The jobs of each day, by status."""
        days = [Counter[str]() for _ in range(self.days)]
        for job in self.chosen(jobs):
            days[(created(job) - self.since).days][status(job)] += 1
        return days


def created(job: Job) -> datetime:
    return datetime.fromisoformat(job["created_at"])


def status(job: Job) -> str:
    """The list leaves out the member for a status that it does not know."""
    return str(job.get("status", "OTHER"))


def failures(jobs: Iterable[Job], name: str) -> dict[str, tuple[int, int]]:
    """Failures and jobs by a field, of those that have failures."""
    both: dict[str, list[str]] = {}
    for job in jobs:
        both.setdefault(job[name], []).append(status(job))
    return {
        key: (states.count("FAILURE"), len(states))
        for key, states in both.items()
        if "FAILURE" in states
    }


def percentiles(jobs: Iterable[Job]) -> tuple[int, list[float]]:
    """How many have finished, and p50, p90 and p99 of their seconds, by nearest rank."""
    taken = sorted(_seconds(jobs))
    return len(taken), [taken[math.ceil(share * len(taken)) - 1] for share in (0.5, 0.9, 0.99)]


def _seconds(jobs: Iterable[Job]) -> Iterator[float]:
    for job in jobs:
        if "finished_at" in job:
            yield (datetime.fromisoformat(job["finished_at"]) - created(job)).total_seconds()

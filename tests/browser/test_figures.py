"""The figures of the page at `/` in a browser: they are those of the lists of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Page

from inventory_job.embedded.demo_data import LARGEST_TENANT
from tests.browser import home
from tests.browser.demo_scene import OLDER
from tests.browser.visits import Profile

CHART = "Chart.getChart(document.querySelector('#history canvas'))"
STATUSES = {
    "Success": "SUCCESS",
    "In progress": "IN_PROGRESS",
    "Canceled": "CANCELED",
    "Failure": "FAILURE",
    "Other": "OTHER",
}


@dataclass(frozen=True)
class Shown:
    """An open page of a domain, and all jobs of the domain as a list gives them, newest first."""

    page: Page
    jobs: list[home.Job]


@pytest.fixture(scope="module", params=[LARGEST_TENANT, OLDER])
def shown(request: pytest.FixtureRequest, profile: Profile, origin: str) -> Iterator[Shown]:
    """The page and the list of a domain, for tests that only look."""
    with httpx.Client(base_url=origin) as client, profile.visit() as seen:
        home.opened(seen.page, origin, request.param)
        yield Shown(seen.page, home.all_jobs(client, request.param))


def test_jobs_over_time_are_those_of_the_list(shown: Shown) -> None:
    panel = shown.page.locator("#history")

    titles = panel.locator("thead th").all_text_contents()[1:]
    order = [STATUSES[title] for title in titles]
    days = home.Span.shown(shown.page).by_day(shown.jobs)
    assert list(home.table(panel).values()) == [[day[status] for status in order] for day in days]
    assert set().union(*days) <= set(order)
    assert len(days) == 30


def test_the_chart_draws_what_its_table_says(shown: Shown) -> None:
    drawn = shown.page.evaluate(f"{CHART}.data.datasets.map(({{ label, data }}) => [label, data])")

    titles = shown.page.locator("#history thead th").all_text_contents()[1:]
    columns = zip(*home.table(shown.page.locator("#history")).values(), strict=True)
    expected = dict(zip(titles, columns, strict=True))
    for label, data in drawn:
        assert [number or 0 for number in data] == list(expected.get(label, [0] * 30))


def test_the_summary_is_that_of_the_list(shown: Shown) -> None:
    states = [home.status(job) for job in home.Span.shown(shown.page).chosen(shown.jobs)]

    succeeded, failed = states.count("SUCCESS"), states.count("FAILURE")
    rate = succeeded / (succeeded + failed + states.count("CANCELED"))
    running = [home.status(job) for job in shown.jobs].count("IN_PROGRESS")
    assert home.numbers(shown.page.locator("#summary")) == [len(states), rate, failed, running]


@pytest.mark.parametrize(
    ("panel", "name"), [("#plugins", "plugin_id"), ("#collectors", "collector_id")]
)
def test_failures_are_those_of_the_list(shown: Shown, panel: str, name: str) -> None:
    expected = home.failures(home.Span.shown(shown.page).chosen(shown.jobs), name)

    rows = home.table(shown.page.locator(panel))
    most = sorted((failed for failed, _ in expected.values()), reverse=True)[:8]
    assert [failed for failed, _, _ in rows.values()] == most
    for key, (failed, jobs, rate) in rows.items():
        assert expected[key] == (failed, jobs)
        assert rate == failed / jobs


def test_running_jobs_are_the_oldest_ones_with_their_progress(shown: Shown) -> None:
    running = [job for job in reversed(shown.jobs) if home.status(job) == "IN_PROGRESS"]

    panel = shown.page.locator("#running")
    names = panel.locator(".name").all_text_contents()
    assert names == [job["job_id"] for job in running][:10]
    assert panel.locator(".done").all_text_contents() == [
        f"{job['total_tasks'] - job.get('remained_tasks', 0)}/{job['total_tasks']}"
        for job in running[:10]
    ]
    assert str(len(running)) in str(panel.locator(".note").text_content())


def test_percentiles_are_those_of_the_finished_jobs(shown: Shown) -> None:
    jobs = home.Span.shown(shown.page).chosen(shown.jobs)

    panel = shown.page.locator("#durations")
    rows = home.table(panel)
    finished, seconds = home.percentiles(jobs)
    assert rows.pop("All plugins") == pytest.approx([finished, *seconds])
    for plugin, figures in rows.items():
        own = home.percentiles(job for job in jobs if job["plugin_id"] == plugin)
        assert figures == pytest.approx([own[0], *own[1]])
    assert f"of {finished} finished jobs" in str(panel.locator(".note").text_content())

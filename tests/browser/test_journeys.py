"""What an operator does with the page at `/`, from a red bar to the run behind it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import scene
from tests.browser.home import awaited, numbers, open_jobs, opened_tables
from tests.browser.visits import Visit
from tests.support.store import Store
from tests.support.tokens import Issuer

SLOW = "domain-slow"

_BAR = """(kind) => {
  const chart = Chart.getChart(document.querySelector("#history canvas"));
  const dataset = chart.data.datasets.findIndex(({ label }) => label === kind);
  const data = chart.data.datasets[dataset].data;
  const index = data.findLastIndex((value) => value > 0);
  const { x, y, base } = chart.getDatasetMeta(dataset).data[index];
  return { x, y: (y + base) / 2, jobs: data[index] };
}"""


def bar(page: Page, kind: str) -> dict[str, float]:
    """Where the newest bar of a status is in its canvas, and its number of jobs."""
    found: dict[str, float] = page.evaluate(_BAR, kind)
    return found


def click_bar(page: Page, at: dict[str, float]) -> None:
    page.locator("#history canvas").click(position={"x": at["x"], "y": at["y"]})


def found(page: Page) -> Locator:
    return page.locator("#list .found")


def test_a_failing_bar_leads_to_its_failures_a_job_and_its_collector(
    visited: Visit, console: str
) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.MANY}&range=7d")
    awaited(page)

    at = bar(page, "Failure")
    click_bar(page, at)
    # In the first minutes of a day (UTC) one job has failed.
    jobs = f"{at['jobs']:.0f} jobs" if at["jobs"] != 1 else "1 job"
    expect(found(page)).to_have_text(jobs)
    assert set(page.locator("#list .chip").all_text_contents()) == {"Failure"}

    job = str(page.locator("#list a.open").first.text_content())
    page.locator("#list a.open").first.click()
    expect(page.locator("#job h1")).to_have_text(job)
    awaited(page)

    page.locator("#collector-runs .all").click()
    expect(found(page)).to_have_text("2,000 jobs")
    collector = f"collector-{int(job.removeprefix('job-'), 16) % 5}"
    shown = page.locator("#list tbody tr td:nth-child(4)").all_text_contents()
    assert set(shown) == {collector}
    assert visited.complaints == []


def test_the_browsers_back_leads_through_the_same_views(visited: Visit, console: str) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.MANY}&range=7d")
    awaited(page)
    page.locator("#failures a").click()
    expect(found(page)).to_be_visible()
    awaited(page)
    page.locator("#list a.open").nth(45).scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    page.locator("#list a.open").nth(45).click()
    expect(page.locator("#job h1")).to_be_visible()
    awaited(page)
    assert page.evaluate("scrollY") == 0

    page.go_back()
    expect(page.locator("#list")).to_be_visible()
    awaited(page)
    page.wait_for_function("(top) => scrollY === top", arg=scrolled)
    page.go_back()

    expect(page.locator("#overview")).to_be_visible()
    awaited(page)
    assert "view=" not in page.url


NUMBERS = [
    "#total a",
    "#failures a",
    "#success .note a",
    "#running-now .figure a",
    "#running-now .note a",
    "#history .legend li:first-child a",
    "#plugins tbody tr:first-child td:nth-child(2) a",
    "#plugins tbody tr:first-child td:nth-child(3) a",
    "#collectors tbody tr:last-child td:nth-child(2) a",
    "#durations tbody tr:nth-child(2) td:nth-child(2) a",
]


def test_every_number_leads_to_as_many_jobs(visited: Visit, console: str) -> None:
    page = visited.page
    for link in NUMBERS:
        page.goto(f"{console}/#domain={scene.MANY}&range=7d")
        page.locator("#overview").wait_for()
        awaited(page)
        opened_tables(page)
        number = page.locator(link)
        counted = numbers(number)
        text = "".join(filter(str.isdigit, str(number.text_content())))
        expected = int(counted[0] if counted else text)
        number.click()

        expect(found(page), link).to_have_text(f"{expected:,} job{'' if expected == 1 else 's'}")


def test_a_pointer_on_a_bar_says_what_it_is_above_the_chart(visited: Visit, console: str) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.MANY}&range=7d")
    awaited(page)

    at = bar(page, "Failure")
    page.locator("#history canvas").hover(position={"x": at["x"], "y": at["y"]})

    tip = page.locator("#history .tip")
    expect(tip).to_contain_text(f"{at['jobs']:.0f} failure")
    box, chart = tip.bounding_box(), page.locator("#history canvas").bounding_box()
    assert box is not None
    assert chart is not None
    assert box["y"] + box["height"] <= chart["y"] + 1


def test_running_jobs_that_may_be_stuck_are_marked(visited: Visit, console: str) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.MANY}&range=90d")
    awaited(page)

    oldest = page.locator("#running tbody tr").first
    assert oldest.locator(".flag").all_text_contents() == ["slow", "stale"]
    newest = page.locator("#running tbody tr").last
    assert "stale" not in newest.locator(".flag").all_text_contents()
    page.get_by_role("link", name="newest first").click()
    expect(page.locator("#running .name").first).to_have_text(scene.job_id(0))


@pytest.mark.parametrize("span", ["24h", "7d"])
def test_a_slow_job_is_marked_whatever_the_range(
    visited: Visit, console: str, database: Store, span: str
) -> None:
    job = {"domain_id": SLOW, "plugin_id": "plugin-1", "status": "SUCCESS"}
    begun = scene.NOW - timedelta(days=3)
    finished = begun + timedelta(seconds=10)
    running = {"job_id": "job-slow", "status": "IN_PROGRESS", "updated_at": scene.NOW}
    database.jobs.delete_many({"domain_id": SLOW})
    database.jobs.insert_many(
        [
            {**job, "job_id": "job-usual", "created_at": begun, "finished_at": finished},
            {**job, **running, "created_at": begun + timedelta(days=1)},
        ]
    )

    visited.page.goto(f"{console}/#domain={SLOW}&range={span}")
    awaited(visited.page)

    assert visited.page.locator("#running .flag").all_text_contents() == ["slow"]


def test_a_new_visitor_is_offered_a_domain(visited: Visit, console: str) -> None:
    visited.page.goto(console)

    visited.page.get_by_role("link", name=f"Show the jobs of {scene.MANY}").click()

    awaited(visited.page)
    expect(visited.page.get_by_label("Token")).to_be_hidden()
    expect(visited.page.locator("#total")).to_be_visible()


def test_back_from_the_overview_leads_to_the_place_in_the_list(
    visited: Visit, guarded: str, issuer: Issuer
) -> None:
    page = visited.page
    open_jobs(page, guarded, issuer)
    page.evaluate("scrollTo(0, 700)")
    page.evaluate("document.getElementById('to-overview').click()")
    expect(page.locator("#overview")).to_be_visible()
    awaited(page)

    page.go_back()

    expect(page.locator("#list")).to_be_visible()
    page.wait_for_function("() => scrollY === 700")

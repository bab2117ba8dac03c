"""What an operator does with the page at `/`, from a red bar to the run behind it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser import scene
from tests.browser.home import awaited, give_token, numbers, opened_tables
from tests.browser.visits import Visit
from tests.support.store import Store
from tests.support.tokens import Issuer

DELETABLE = "domain-deletable"
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


@pytest.fixture
def deletable(console: str, database: Store) -> str:
    """The id of a job that a test may delete, with a task."""
    job: dict[str, Any] = {
        "job_id": "job-to-be-deleted",
        "domain_id": DELETABLE,
        "status": "FAILURE",
        "created_at": scene.NOW - timedelta(hours=1),
    }
    database.jobs.delete_many({"domain_id": DELETABLE})
    database.jobs.insert_one(dict(job))
    database.job_tasks.insert_one({"job_id": job["job_id"], "domain_id": DELETABLE})
    return str(job["job_id"])


def test_a_failing_bar_leads_to_its_failures_a_job_and_its_collector(
    visited: Visit, console: str
) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.MANY}&range=7d")
    awaited(page)

    at = bar(page, "Failure")
    click_bar(page, at)
    expect(found(page)).to_have_text(f"{at['jobs']:.0f} jobs")
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


def test_a_delete_is_confirmed_by_the_jobs_name(
    visited: Visit, console: str, deletable: str, database: Store
) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={DELETABLE}&job={deletable}")
    awaited(page)

    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Delete {deletable}?")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert database.jobs.count_documents({"domain_id": DELETABLE}) == 1

    page.get_by_role("button", name="Delete…").click()
    dialog.get_by_role("button", name="Delete", exact=True).click()

    expect(page.locator("#notice")).to_have_text(f"{deletable} and its tasks have been deleted.")
    expect(page.locator("#list .empty")).to_be_visible()
    assert database.jobs.count_documents({"domain_id": DELETABLE}) == 0
    assert database.job_tasks.count_documents({"domain_id": DELETABLE}) == 0


def test_the_browsers_back_leaves_no_delete_to_be_confirmed(
    visited: Visit, console: str, deletable: str
) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={DELETABLE}&view=jobs")
    page.get_by_role("link", name=deletable).click()
    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_be_visible()

    page.go_back()

    expect(page.locator("#list")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize(
    ("answered", "said"),
    [(True, "and its tasks have been deleted."), (False, "has not been deleted.")],
)
def test_a_late_answer_to_a_delete_leaves_another_jobs_dialog_as_it_is(
    visited: Visit, console: str, deletable: str, *, answered: bool, said: str
) -> None:
    page = visited.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/job/delete", hold)
    page.goto(f"{console}/#domain={DELETABLE}&job={deletable}")
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    page.keyboard.press("Escape")
    other = scene.job_id(1)
    page.evaluate("(hash) => { location.hash = hash; }", f"domain={scene.MANY}&job={other}")
    expect(page.locator("#job h1")).to_have_text(other)
    page.get_by_role("button", name="Delete…").click()

    if answered:
        held[0].continue_()
    else:
        held[0].abort()

    expect(page.locator("#notice")).to_contain_text(f"{deletable} {said}")
    expect(dialog).to_contain_text(f"Delete {other}?")
    expect(dialog.locator(".problem")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Delete", exact=True)).to_be_enabled()
    assert f"job={other}" in page.url


def test_a_refused_delete_is_a_sentence_and_takes_the_button_away(
    visited: Visit, guarded: str, issuer: Issuer, database: Store
) -> None:
    page = visited.page
    page.goto(f"{guarded}/#job={scene.job_id(1)}")
    give_token(page, issuer.token("WORKSPACE_MEMBER", wid="workspace-1"))
    page.get_by_role("button", name="Delete…").click()

    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()

    expect(page.locator("#job")).to_contain_text("You may not delete jobs here.")
    expect(page.get_by_role("button", name="Delete…")).to_have_count(0)
    assert database.jobs.count_documents({"job_id": scene.job_id(1)}) == 1


def test_back_from_the_overview_leads_to_the_place_in_the_list(
    visited: Visit, guarded: str, issuer: Issuer
) -> None:
    page = visited.page
    page.goto(f"{guarded}/#view=jobs")
    give_token(page, issuer.token("DOMAIN_ADMIN"))
    awaited(page)
    page.evaluate("scrollTo(0, 700)")
    page.evaluate("document.getElementById('to-overview').click()")
    expect(page.locator("#overview")).to_be_visible()
    awaited(page)

    page.go_back()

    expect(page.locator("#list")).to_be_visible()
    page.wait_for_function("() => scrollY === 700")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (502, "The server or its database cannot be reached."),
        (504, "The answer took too long."),
        (429, "The server is busy"),
        (403, "You may not see or do this."),
        (200, "The server or its database cannot be reached."),
    ],
)
def test_an_answer_that_is_not_the_apis_is_a_sentence(
    visited: Visit, console: str, status: int, sentence: str
) -> None:
    visited.page.route(
        "**/job/list", lambda route: route.fulfill(status=status, body='{"results": [')
    )

    visited.page.goto(f"{console}/#domain={scene.MANY}&view=jobs")

    awaited(visited.page, "failed")
    expect(visited.page.locator("#problems")).to_contain_text(sentence)


def test_a_view_that_cannot_be_loaded_is_said_to_be_out_of_reach_and_comes_back(
    visited: Visit, console: str
) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.MANY}&view=jobs")
    awaited(page)
    page.route("**/home/*.js", lambda route: route.abort())
    page.locator("#to-overview").click()
    awaited(page, "failed")
    expect(page.locator("#problems")).to_contain_text(
        "The server or its database cannot be reached."
    )

    page.unroute("**/home/*.js")
    page.get_by_role("button", name="Refresh").click()

    awaited(page)
    expect(page.locator("#total")).to_be_visible()


def test_a_server_that_does_not_answer_is_given_up_and_asked_again(
    visited: Visit, console: str
) -> None:
    page = visited.page
    page.add_init_script(
        "const timeout = AbortSignal.timeout; AbortSignal.timeout = (ms) => timeout(ms / 60);"
    )
    page.goto(f"{console}/#domain={scene.MANY}&view=jobs")
    awaited(page)
    page.route("**/job/list", lambda _: None)

    page.get_by_role("button", name="Refresh").click()

    awaited(page, "failed")
    expect(page.locator("#problems")).to_contain_text("The server has not answered.")
    page.unroute("**/job/list")
    page.get_by_role("button", name="Refresh").click()
    awaited(page)

"""The page at `/` in a browser, on a real server with demo data."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from inventory_job.auth.tokens import TokenAuthenticator
from inventory_job.embedded.demo_data import LARGEST_TENANT, Demo
from tests.browser import home
from tests.browser.visits import Look, Profiles, Visit, visit
from tests.support.http_service import HttpPort, served
from tests.support.key_sources import Keys
from tests.support.running import seed
from tests.support.store import Store
from tests.support.tokens import Issuer

OLDER = "domain-older"
HOSTILE = "domain-hostile"
ODD = "domain-odd"
MARKUP = "<img src=x onerror=document.title=1>"
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
CHART = "Chart.getChart(document.querySelector('#history canvas'))"
STATUSES = {
    "Success": "SUCCESS",
    "In progress": "IN_PROGRESS",
    "Canceled": "CANCELED",
    "Failure": "FAILURE",
    "Other": "OTHER",
}
LOOKS = [
    Look(),
    Look(scheme="dark"),
    Look(width=375, height=740),
    Look(width=375, height=740, scheme="dark"),
]


@dataclass(frozen=True)
class Shown:
    """An open page of a domain, and all jobs of the domain as a list gives them, newest first."""

    page: Page
    jobs: list[home.Job]


def job(number: int, domain: str, status: str, **members: Any) -> dict[str, Any]:
    """A stored job, some hours old."""
    begun = NOW - timedelta(hours=number + 1)
    return {
        "job_id": f"job-{domain}-{number}",
        "domain_id": domain,
        "status": status,
        "collector_id": f"collector-{number % 2}",
        "plugin_id": f"plugin-{number % 3}",
        "total_tasks": 4,
        "remained_tasks": 1,
        "created_at": begun,
        "finished_at": None if status == "IN_PROGRESS" else begun + timedelta(seconds=number + 5),
        **members,
    }


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(LARGEST_TENANT)


@pytest.fixture(scope="module")
def origin(database: Store) -> Iterator[str]:
    seed(database, Demo(3000, seed=0, until=NOW))
    older = ["ERROR", "TIMEOUT", "SKIPPED", "SUCCESS", "FAILURE", "CANCELED", "IN_PROGRESS"]
    stored = [job(number, OLDER, status) for number, status in enumerate(older)]
    stored += [
        job(number, HOSTILE, status, plugin_id=MARKUP, collector_id=MARKUP, workspace_id=MARKUP)
        for number, status in enumerate(["FAILURE", "IN_PROGRESS", "SUCCESS"])
    ]
    stored += [job(0, ODD, "SUCCESS"), job(1, ODD, "SUCCESS", created_at=[NOW])]
    database.jobs.insert_many(copy.deepcopy(stored))
    with served(database) as address:
        yield address


@pytest.fixture(scope="module")
def guarded_origin(origin: str, database: Store, issuer: Issuer) -> Iterator[str]:
    """The same jobs, served to those who have a token."""
    port = HttpPort(authenticator=TokenAuthenticator(Keys(issuer)), auth_mode="jwt")
    with served(database, port) as address:
        yield address


@pytest.fixture(scope="module", params=[LARGEST_TENANT, OLDER])
def shown(request: pytest.FixtureRequest, browser: Browser, origin: str) -> Iterator[Shown]:
    """The page and the list of a domain, for tests that only look."""
    with httpx.Client(base_url=origin) as client, visit(browser) as seen:
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


def test_what_a_job_says_is_text(visited: Visit, origin: str) -> None:
    home.opened(visited.page, origin, HOSTILE)

    for panel in ("#plugins", "#collectors", "#running", "#durations"):
        assert MARKUP in str(visited.page.locator(panel).text_content())
    assert visited.page.locator("main img").count() == 0
    assert visited.page.title() == "Inventory jobs"
    assert visited.complaints == []


def test_a_job_whose_date_is_none_leaves_the_others_shown(visited: Visit, origin: str) -> None:
    home.opened(visited.page, origin, ODD)

    counts = home.table(visited.page.locator("#history")).values()
    assert sum(sum(row) for row in counts) == 1


def test_nothing_is_asked_of_another_server(visited: Visit, origin: str) -> None:
    home.opened(visited.page, origin, LARGEST_TENANT)

    assert len(visited.requests) > 10
    assert visited.foreign_requests(origin) == []


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.width}-{look.scheme}")
def test_every_layout_fits_its_width_without_complaints(
    profiles: Profiles, origin: str, look: Look
) -> None:
    with profiles.visit(look) as seen:
        home.opened(seen.page, origin, LARGEST_TENANT)
        for summary in seen.page.locator("summary").all():
            summary.click()

        assert seen.page.evaluate("document.documentElement.scrollWidth") <= look.width
        assert seen.complaints == []
        beyond = "[...document.querySelectorAll('main section')].filter("
        beyond += "(box) => box.scrollWidth > box.clientWidth + 1).map(({ id }) => id)"
        assert seen.page.evaluate(beyond) == []


def test_dark_is_dark(profiles: Profiles, origin: str) -> None:
    def background(look: Look) -> str:
        with profiles.visit(look) as seen:
            seen.page.goto(origin)
            return str(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert background(Look()) != background(Look(scheme="dark"))


def test_colours_follow_a_change_of_scheme(visited: Visit, origin: str) -> None:
    home.opened(visited.page, origin, LARGEST_TENANT)
    drawn = f"{CHART}.data.datasets.map(({{ backgroundColor }}) => backgroundColor)"
    light = visited.page.evaluate(drawn)

    visited.page.emulate_media(color_scheme="dark")

    visited.page.wait_for_function(f"(light) => String({drawn}) !== String(light)", arg=light)


def test_without_a_domain_the_page_asks_for_one_and_for_nothing_else(
    visited: Visit, origin: str
) -> None:
    visited.page.goto(origin)

    expect(visited.page.get_by_text("Enter the id of a domain")).to_be_visible()
    assert not [url for url in visited.requests if "/inventory/" in url]


def test_a_domain_without_jobs_is_said_to_have_none(visited: Visit, origin: str) -> None:
    home.opened(visited.page, origin, "domain-of-nobody", "7d")

    assert visited.page.locator("main .empty").all_text_contents() == [
        "No jobs were created in the last 7 days.",
        "No failures in the last 7 days.",
        "No failures in the last 7 days.",
        "No job is running.",
        "No job of the last 7 days has finished.",
    ]
    assert visited.page.locator("canvas").count() == 0


@pytest.mark.parametrize(("span", "rows"), [("24h", 24), ("90d", 90)])
def test_a_range_is_chosen_and_kept_in_the_address(
    visited: Visit, origin: str, span: str, rows: int
) -> None:
    home.opened(visited.page, origin, LARGEST_TENANT, "7d")

    with visited.page.expect_response("**/inventory/v1/job/stat"):
        visited.page.locator(f"input[name=range][value='{span}']").check()
    home.awaited(visited.page)

    assert f"range={span}" in visited.page.url
    assert visited.page.locator("#history tbody tr").count() == rows


def test_an_error_of_the_server_is_shown_with_its_code_message_and_field(
    visited: Visit, origin: str
) -> None:
    visited.page.goto(origin)

    visited.page.get_by_role("button", name="Refresh").click()
    home.awaited(visited.page, "failed")

    alert = visited.page.get_by_role("alert")
    expect(alert.locator(".problem")).to_have_count(1)
    expect(alert).to_contain_text("The server does not understand what this page asks for.")
    expect(alert).to_contain_text("INVALID_ARGUMENT")
    expect(alert).to_contain_text("ERROR_REQUIRED_PARAMETER: Required parameter. (key = domain_id)")
    assert alert.locator("code").all_text_contents() == ["domain_id"]
    expect(visited.page.locator("#overview")).to_be_hidden()


def test_a_panel_whose_call_fails_does_not_take_the_others_with_it(
    visited: Visit, origin: str
) -> None:
    visited.page.route("**/inventory/v1/job/analyze", lambda route: route.abort())

    home.opened(visited.page, origin, LARGEST_TENANT)

    alert = visited.page.get_by_role("alert")
    expect(alert).to_contain_text("Failures by plugin, Failures by collector")
    expect(alert).to_contain_text("UNAVAILABLE The server cannot be reached.")
    assert visited.page.locator("main .empty").all_text_contents() == ["Not available."] * 2
    assert len(home.numbers(visited.page.locator("#summary"))) == 4


def test_a_refused_token_is_shown_as_such_and_a_good_one_opens_its_domain(
    visited: Visit, guarded_origin: str, issuer: Issuer
) -> None:
    page = visited.page
    page.goto(guarded_origin)
    page.get_by_label("Token").fill("nonsense")
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_contain_text("does not accept this token")
    expect(page.get_by_label("Token")).to_be_focused()

    good = issuer.token("DOMAIN_ADMIN")
    page.get_by_label("Token").fill(good)
    page.get_by_role("button", name="Refresh").click()

    expect(page.locator("#total data")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_empty()
    assert good not in page.url
    assert page.evaluate("Object.values(localStorage)") == []
    assert page.context.cookies() == []


def test_a_workspace_narrows_what_is_shown(visited: Visit, origin: str, database: Store) -> None:
    conditions = {"domain_id": LARGEST_TENANT, "workspace_id": {"$ne": "*"}}
    workspace = str(database.jobs.distinct("workspace_id", conditions)[0])
    home.opened(visited.page, origin, LARGEST_TENANT)

    visited.page.get_by_label("Workspace").fill(workspace)
    with visited.page.expect_response("**/inventory/v1/job/stat"):
        visited.page.keyboard.press("Enter")
    home.awaited(visited.page)

    since = home.Span.shown(visited.page).since.replace(tzinfo=None)
    own = {"domain_id": LARGEST_TENANT, "workspace_id": workspace, "created_at": {"$gte": since}}
    assert home.numbers(visited.page.locator("#total")) == [database.jobs.count_documents(own)]
    assert f"workspace={workspace}" in visited.page.url


def test_a_table_that_was_opened_stays_open(visited: Visit, origin: str) -> None:
    home.opened(visited.page, origin, LARGEST_TENANT)
    visited.page.locator("#history summary").click()

    with visited.page.expect_response("**/inventory/v1/job/stat"):
        visited.page.get_by_role("button", name="Refresh").click()
    home.awaited(visited.page)

    assert visited.page.locator("#history details[open]").count() == 1


def test_auto_refresh_asks_again(timed: Visit, origin: str) -> None:
    home.opened(timed.page, origin, LARGEST_TENANT)
    timed.page.get_by_role("switch").check()
    before = len(timed.requests)

    with timed.page.expect_response("**/inventory/v1/job/stat"):
        timed.page.clock.run_for(31_000)

    assert len(timed.requests) > before
    assert "auto=1" in timed.page.url

"""The page at `/` in a browser, on a real server with demo data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from inventory_job.auth.tokens import TokenAuthenticator
from inventory_job.embedded.demo_data import LARGEST_TENANT
from tests.browser import home
from tests.browser.demo_scene import HOSTILE, MARKUP, ODD
from tests.browser.visits import Profile, Scheme, Visit, foreign
from tests.support.http_service import HttpPort, served
from tests.support.key_sources import Keys
from tests.support.store import Store
from tests.support.tokens import Issuer

CHART = "Chart.getChart(document.querySelector('#history canvas'))"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(LARGEST_TENANT)


@pytest.fixture(scope="module")
def guarded_origin(demo: Store, issuer: Issuer) -> Iterator[str]:
    """The same jobs, served to those who have a token."""
    port = HttpPort(authenticator=TokenAuthenticator(Keys(issuer)), auth_mode="jwt")
    with served(demo, port) as address:
        yield address


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
    requested = visited.requested()
    home.opened(visited.page, origin, LARGEST_TENANT)

    assert len(requested) > 10
    assert foreign(requested, origin) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (375, 740)])
def test_every_layout_fits_its_width_without_complaints(
    profile: Profile, origin: str, width: int, height: int, scheme: Scheme
) -> None:
    with profile.visit(width, height, scheme) as seen:
        home.opened(seen.page, origin, LARGEST_TENANT)
        for summary in seen.page.locator("summary").all():
            summary.click()

        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.complaints == []
        beyond = "[...document.querySelectorAll('main section')].filter("
        beyond += "(box) => box.scrollWidth > box.clientWidth + 1).map(({ id }) => id)"
        assert seen.page.evaluate(beyond) == []


def test_dark_is_dark(profile: Profile, origin: str) -> None:
    def background(scheme: Scheme) -> str:
        with profile.visit(scheme=scheme) as seen:
            seen.page.goto(origin)
            return str(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert background("light") != background("dark")


def test_colours_follow_a_change_of_scheme(visited: Visit, origin: str) -> None:
    home.opened(visited.page, origin, LARGEST_TENANT)
    drawn = f"{CHART}.data.datasets.map(({{ backgroundColor }}) => backgroundColor)"
    light = visited.page.evaluate(drawn)

    visited.page.emulate_media(color_scheme="dark")

    visited.page.wait_for_function(f"(light) => String({drawn}) !== String(light)", arg=light)


def test_without_a_domain_the_page_asks_for_one_and_for_nothing_else(
    visited: Visit, origin: str
) -> None:
    requested = visited.requested()
    visited.page.goto(origin)

    expect(visited.page.get_by_text("Enter the id of a domain")).to_be_visible()
    assert not [url for url in requested if "/inventory/" in url]


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


def test_a_workspace_narrows_what_is_shown(visited: Visit, origin: str, demo: Store) -> None:
    conditions = {"domain_id": LARGEST_TENANT, "workspace_id": {"$ne": "*"}}
    workspace = str(demo.jobs.distinct("workspace_id", conditions)[0])
    home.opened(visited.page, origin, LARGEST_TENANT)

    visited.page.get_by_label("Workspace").fill(workspace)
    with visited.page.expect_response("**/inventory/v1/job/stat"):
        visited.page.keyboard.press("Enter")
    home.awaited(visited.page)

    since = home.Span.shown(visited.page).since.replace(tzinfo=None)
    own = {"domain_id": LARGEST_TENANT, "workspace_id": workspace, "created_at": {"$gte": since}}
    assert home.numbers(visited.page.locator("#total")) == [demo.jobs.count_documents(own)]
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
    requested = timed.requested()

    with timed.page.expect_response("**/inventory/v1/job/stat"):
        timed.page.clock.run_for(31_000)

    assert requested
    assert "auto=1" in timed.page.url

"""What every view of the page at `/` keeps to: hostile text, narrow screens, accessibility."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser import scene
from tests.browser.home import awaited, opened_tables
from tests.browser.visits import Profile, Scheme, Visit, foreign

VIEWS = {
    "overview": "range=7d",
    "empty-overview": f"domain={scene.NONE}",
    "jobs": "view=jobs&status=FAILURE&plugin=plugin-1&stale=1",
    "all-jobs": "view=jobs&size=25",
    "no-jobs": f"view=jobs&domain={scene.NONE}",
    "job": f"job={scene.job_id(7)}",
}
LOOKS: list[tuple[str, int, Scheme]] = [
    *((view, 1280, "light") for view in VIEWS),
    *((view, 1280, "dark") for view in ("overview", "all-jobs", "job")),
    *((view, 390, "light") for view in ("overview", "all-jobs", "job")),
]
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    "resultTypes": ["violations"],
}
"""All rules; of what they find in order, not every place is reported."""


def opened(page: Page, origin: str, view: str) -> None:
    page.goto(f"{origin}/?domain={scene.MANY}#{VIEWS[view]}")
    awaited(page)


def violations(page: Page) -> list[str]:
    """What axe-core finds, each rule with the places."""
    found = Axe().run(page, options=AXE).response["violations"]
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in found]


@pytest.mark.parametrize(("view", "width", "scheme"), LOOKS)
def test_axe_finds_no_violation(
    profile: Profile, console: str, view: str, width: int, scheme: Scheme
) -> None:
    with profile.visit(width, 800 if width > 390 else 844, scheme) as seen:
        opened(seen.page, console, view)
        opened_tables(seen.page)

        assert violations(seen.page) == []


def test_axe_finds_no_violation_where_a_delete_is_confirmed(visited: Visit, console: str) -> None:
    opened(visited.page, console, "job")
    visited.page.get_by_role("button", name="Delete…").click()

    assert violations(visited.page) == []


@pytest.mark.parametrize("path", ["/", "/#job=x"], ids=["welcome", "refused"])
def test_axe_finds_no_violation_where_there_is_nothing_to_show(
    visited: Visit, guarded: str, path: str
) -> None:
    visited.page.goto(guarded + path)
    visited.page.locator("#welcome, #refusal").first.wait_for()

    assert violations(visited.page) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(profile: Profile, console: str, width: int) -> None:
    with profile.visit(width, 844) as seen:
        for view in VIEWS:
            opened(seen.page, console, view)

            assert seen.page.evaluate("document.documentElement.scrollWidth") == width, view


def test_on_a_phone_the_first_table_begins_within_two_screens(
    profile: Profile, console: str
) -> None:
    with profile.visit(390, 844) as seen:
        opened(seen.page, console, "overview")

        box = seen.page.locator("#plugins table").bounding_box()
        assert box is not None
        assert box["y"] < 2 * 844


def test_hostile_text_stays_text_in_every_view(visited: Visit, console: str) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.HOSTILE}&range=7d")
    awaited(page)
    page.goto(f"{console}/#domain={scene.HOSTILE}&view=jobs")
    page.locator("#list a.open").first.wait_for()
    assert scene.MARKUP in str(page.locator("#list tbody").text_content())
    page.locator("#list tbody a.quiet").first.click()
    page.locator("#list .chips li").first.wait_for()
    awaited(page)
    page.locator("#list a.open").first.click()
    page.locator("#fields").wait_for()
    awaited(page)
    page.get_by_role("button", name="Delete…").click()

    assert scene.MARKUP in str(page.locator("#job h1").text_content())
    assert str(page.locator("#fields").text_content()).count(scene.MARKUP) >= 5
    assert scene.MARKUP in str(page.locator("dialog").text_content())
    assert page.locator("main img, dialog img").count() == 0
    assert page.title() == f"{scene.MARKUP}0 · Inventory jobs"
    assert visited.complaints == []


def test_hostile_text_of_the_address_stays_text(visited: Visit, console: str) -> None:
    page = visited.page
    page.goto(f"{console}/?domain={scene.MANY}&view=jobs&q={scene.MARKUP}&plugin={scene.MARKUP}")
    awaited(page)

    assert str(page.locator("#list .chips").text_content()).count(scene.MARKUP) == 2
    assert page.locator("main img").count() == 0


def test_no_request_leaves_the_origin(visited: Visit, console: str) -> None:
    requested = visited.requested()
    for view in VIEWS:
        opened(visited.page, console, view)

    assert len(requested) > 10 * len(VIEWS)
    assert foreign(requested, console) == []
    assert visited.complaints == []

"""The list of jobs of the page at `/` in a browser."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import scene
from tests.browser.home import awaited
from tests.browser.job_list import PER_PAGE, ids, listed, opened
from tests.browser.visits import Visit

FIELDS = {
    "Job": "job_id",
    "Status": "status",
    "Plugin": "plugin_id",
    "Collector": "collector_id",
    "Workspace": "workspace_id",
    "Created": "created_at",
    "Finished": "finished_at",
    "Tasks": "total_tasks",
    "Failed": "failure_tasks",
}


def test_ten_thousand_jobs_come_newest_first_and_page_by_page(visited: Visit, console: str) -> None:
    opened(visited.page, console)

    expect(visited.page.locator("#list .found")).to_have_text("10,000 jobs")
    assert ids(visited.page) == [scene.job_id(number) for number in range(PER_PAGE)]
    visited.page.get_by_role("link", name="Next page").click()
    expect(visited.page.locator("#list .range")).to_contain_text("100 of 10,000")
    assert ids(visited.page) == [scene.job_id(number + PER_PAGE) for number in range(PER_PAGE)]
    visited.page.get_by_role("link", name="Last page").click()
    expect(visited.page.locator("#list .range")).to_contain_text("9,951")
    assert visited.complaints == []


def test_a_domain_without_jobs_says_so(visited: Visit, console: str) -> None:
    opened(visited.page, console, domain=scene.NONE)

    expect(visited.page.locator("#list .empty")).to_have_text("There are no jobs.")
    expect(visited.page.locator("#list .tools")).to_be_hidden()


def test_filters_without_a_job_are_dropped_by_a_click(visited: Visit, console: str) -> None:
    opened(visited.page, console, "plugin=plugin-of-none&status=FAILURE")

    expect(visited.page.locator("#list .empty")).to_contain_text("No job meets these filters.")
    visited.page.get_by_role("link", name="Drop all filters").click()

    expect(visited.page.locator("#list .found")).to_have_text("10,000 jobs")


def test_any_column_sorts(visited: Visit, console: str) -> None:
    opened(visited.page, console, "page=2")

    for title, field in FIELDS.items():
        visited.page.locator("#list thead a", has_text=title).click()
        expect(visited.page.locator("#list [aria-sort]")).to_contain_text(title)
        awaited(visited.page)

        order = str(visited.page.locator("#list [aria-sort]").get_attribute("aria-sort"))
        sort = {"key": field, "desc": order == "descending"}
        assert ids(visited.page) == listed(console, sort=[sort]), title
        assert "page=" not in visited.page.url


def test_a_part_of_an_id_finds_its_jobs(visited: Visit, console: str) -> None:
    opened(visited.page, console)

    visited.page.keyboard.press("/")
    visited.page.keyboard.type("00ABC")
    visited.page.keyboard.press("Enter")

    expect(visited.page.locator("#list .found")).to_have_text("1 job")
    assert ids(visited.page) == [scene.job_id(0xABC)]
    assert "q=00ABC" in visited.page.url


@pytest.mark.parametrize("part", [scene.job_id(0xABC), "job-000000000ab", "-000000000abc"])
def test_a_whole_id_its_beginning_and_its_end_find_it(
    visited: Visit, console: str, part: str
) -> None:
    opened(visited.page, console, f"q={part}")

    assert (
        scene.job_id(0xABC)
        in ids(visited.page)
        == listed(console, filter=[{"k": "job_id", "v": part, "o": "contain"}])
    )


def test_filters_are_in_the_address_and_shown_from_it(visited: Visit, console: str) -> None:
    page = visited.page
    opened(page, console)

    page.get_by_label("Failure", exact=True).check()
    page.wait_for_url("**status=FAILURE**")
    page.get_by_label("Collector", exact=True).fill("collector-2")
    page.keyboard.press("Enter")
    page.wait_for_url("**collector=collector-2**")
    page.get_by_label("Workspace").fill("workspace-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**workspace=workspace-1**")
    awaited(page)
    expected = listed(
        console,
        filter=[
            {"k": "status", "v": "FAILURE", "o": "eq"},
            {"k": "collector_id", "v": "collector-2", "o": "eq"},
            {"k": "workspace_id", "v": "workspace-1", "o": "eq"},
        ],
    )
    assert ids(page) == expected

    sent_on = page.url
    page.goto("about:blank")
    page.goto(sent_on)
    awaited(page)

    assert ids(page) == expected
    expect(page.get_by_label("Collector", exact=True)).to_have_value("collector-2")
    expect(page.get_by_label("Failure", exact=True)).to_be_checked()


def test_a_query_string_does_as_well_as_a_fragment(visited: Visit, console: str) -> None:
    visited.page.goto(f"{console}/?domain={scene.MANY}&view=jobs&plugin=plugin-1")
    awaited(visited.page)

    expect(visited.page.locator("#list .found")).to_have_text("3,333 jobs")


def test_a_time_from_the_form_is_one_of_this_zone(visited: Visit, console: str) -> None:
    page = visited.page
    opened(page, console)

    page.get_by_label("From … to").check()
    page.get_by_label("From local time").fill("2026-03-04T09:00")
    page.keyboard.press("Enter")
    page.wait_for_url("**from=**")

    assert "from=2026-03-04T00%3A00%3A00.000Z" in page.url


def test_two_choices_in_a_row_both_count(visited: Visit, console: str) -> None:
    page = visited.page
    opened(page, console)

    page.get_by_role("combobox", name="Plugin").fill("plugin-1")
    # As a tap does: the field loses the focus, and the choice is made, at once.
    page.get_by_label("Failure", exact=True).click()

    expect(page.locator("#list .chips")).to_contain_text("plugin-1")
    expect(page.locator("#list .chips")).to_contain_text("Failure")


def test_times_that_are_being_chosen_stay_when_another_filter_changes(
    visited: Visit, console: str
) -> None:
    page = visited.page
    opened(page, console)
    page.get_by_label("From … to").check()

    page.get_by_label("Failure", exact=True).click()

    expect(page.locator("#list .chips")).to_contain_text("Failure")
    expect(page.get_by_label("From local time")).to_be_visible()
    page.get_by_label("Ever", exact=True).check()
    expect(page.get_by_label("From local time")).to_be_hidden()


def test_a_slash_leads_to_the_search_from_a_filter_that_was_clicked(
    visited: Visit, console: str
) -> None:
    page = visited.page
    opened(page, console)
    page.get_by_label("Failure", exact=True).click()

    page.keyboard.press("/")

    expect(page.get_by_label("Job id")).to_be_focused()
    expect(page.get_by_label("Job id")).to_have_value("")


def test_fields_suggest_the_values_there_are(visited: Visit, console: str) -> None:
    opened(visited.page, console)

    with visited.page.expect_response("**/inventory/v1/job/stat"):
        visited.page.get_by_label("Plugin", exact=True).focus()

    options = visited.page.locator("#plugin-ids option")
    expect(options).to_have_count(3)
    assert options.evaluate_all("(all) => all.map(({ value }) => value)") == [
        "plugin-0",
        "plugin-1",
        "plugin-2",
    ]


def test_the_keyboard_goes_from_row_to_row_and_opens_one(visited: Visit, console: str) -> None:
    opened(visited.page, console)
    links = visited.page.locator("#list a.open")
    links.first.focus()

    visited.page.keyboard.press("ArrowDown")
    visited.page.keyboard.press("ArrowDown")
    expect(links.nth(2)).to_be_focused()
    visited.page.keyboard.press("Enter")

    expect(visited.page.locator("#job h1")).to_have_text(scene.job_id(2))


def test_the_way_back_leads_the_keyboard_to_the_row_it_left(visited: Visit, console: str) -> None:
    page = visited.page
    opened(page, console)
    page.locator("#list a.open").nth(3).press("Enter")
    expect(page.locator("#job h1")).to_be_visible()
    awaited(page)

    page.go_back()

    expect(page.locator("#list a.open").nth(3)).to_be_focused()


def test_what_is_shown_can_be_saved(visited: Visit, console: str, tmp_path: Path) -> None:
    opened(visited.page, console, "status=FAILURE&size=25")

    with visited.page.expect_download() as download:
        visited.page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "jobs.csv")
    with visited.page.expect_download() as download:
        visited.page.get_by_role("button", name="JSON").click()
    download.value.save_as(tmp_path / "jobs.json")

    with (tmp_path / "jobs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    jobs = json.loads((tmp_path / "jobs.json").read_text())
    assert [row["job_id"] for row in rows] == [job["job_id"] for job in jobs] == ids(visited.page)
    assert {row["status"] for row in rows} == {"FAILURE"}
    assert visited.complaints == []


def test_a_saved_text_is_no_formula(visited: Visit, console: str, tmp_path: Path) -> None:
    opened(visited.page, console, domain=scene.HOSTILE)

    with visited.page.expect_download() as download:
        visited.page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "jobs.csv")

    with (tmp_path / "jobs.csv").open(newline="") as file:
        plugins = {row["plugin_id"] for row in csv.DictReader(file)}
    assert plugins == {f"'{scene.FORMULA}", scene.MARKUP}


def test_a_refresh_keeps_the_place_and_what_has_the_focus(timed: Visit, console: str) -> None:
    page = timed.page
    opened(page, console, "auto=1")
    link = page.locator("#list a.open").nth(40)
    link.focus()
    before = page.evaluate("scrollY")
    assert before > 0

    with page.expect_response("**/inventory/v1/job/list"):
        page.clock.run_for(31_000)
    awaited(page)

    expect(page.locator("#list a.open").nth(40)).to_be_focused()
    assert page.evaluate("scrollY") == before


def test_running_jobs_without_an_update_are_marked(visited: Visit, console: str) -> None:
    opened(visited.page, console, "status=IN_PROGRESS")
    # The newest one has begun a minute ago.
    assert visited.page.locator("#list .flag").count() == len(ids(visited.page)) - 1 == 9

    opened(visited.page, console, "stale=1")
    expect(visited.page.locator("#list .found")).to_have_text("9 jobs")

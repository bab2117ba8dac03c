"""One job on the page at `/` in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import scene
from tests.browser.home import awaited
from tests.browser.job_list import opened
from tests.browser.visits import Visit
from tests.support.store import Store

UNDATED = "domain-undated"
ODD = "domain-odd"


def test_a_job_shows_its_fields_in_both_zones(visited: Visit, console: str) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.MANY}&job={scene.job_id(30)}")
    awaited(page)

    created = str(page.locator("#times tbody tr").first.text_content())
    begun = next(job for n, job in enumerate(scene.many()) if n == 30)["created_at"]
    assert f"{begun:%Y-%m-%d %H:%M:%S} UTC" in created
    assert "GMT+9" in created
    expect(page.locator("#times .figure")).to_have_text("1 min")
    expect(page.locator("#tasks .figure")).to_have_text("4 of 4 done")
    expect(page.locator("#fields")).to_contain_text("workspace-0")
    assert page.title() == f"{scene.job_id(30)} · Inventory jobs"


def test_a_job_leads_to_those_before_and_after_it(visited: Visit, console: str) -> None:
    page = visited.page
    page.goto(f"{console}/#domain={scene.MANY}&job={scene.job_id(30)}")
    awaited(page)

    near = page.locator("#collector-runs .nearest a").all_text_contents()
    assert near == [scene.job_id(35), scene.job_id(25)]
    assert page.locator("#plugin-runs .nearest a").all_text_contents() == [
        scene.job_id(33),
        scene.job_id(27),
    ]
    page.locator("#collector-runs .nearest a").first.click()
    expect(page.locator("#job h1")).to_have_text(scene.job_id(35))


def test_an_id_can_be_copied(visited: Visit, console: str) -> None:
    page = visited.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=console)
    page.goto(f"{console}/#domain={scene.MANY}&job={scene.job_id(30)}")
    awaited(page)

    page.get_by_role("button", name="Copy collector").click()

    expect(page.get_by_role("button", name="Copy collector")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "collector-0"


def test_a_job_that_is_not_there_is_said_to_be_gone(visited: Visit, console: str) -> None:
    visited.page.goto(f"{console}/#domain={scene.MANY}&job=job-none")
    awaited(visited.page, "failed")

    alert = visited.page.get_by_role("alert")
    expect(alert).to_contain_text("There is no such job, or it is none of yours.")
    expect(alert).to_contain_text("NOT_FOUND")


@pytest.mark.parametrize("created", [None, "yesterday"])
def test_a_job_whose_creation_is_no_time_is_shown(
    visited: Visit, console: str, database: Store, created: str | None
) -> None:
    job = {"job_id": "job-undated", "domain_id": UNDATED, "status": "SUCCESS"}
    database.jobs.delete_many({"domain_id": UNDATED})
    database.jobs.insert_one({**job, "collector_id": "collector-1", "created_at": created})

    visited.page.goto(f"{console}/#domain={UNDATED}&job=job-undated")

    awaited(visited.page)
    expect(visited.page.locator("#collector-runs .strip li")).to_have_count(1)
    expect(visited.page.locator("#job .empty")).to_have_count(0)
    assert visited.complaints == []


@pytest.mark.parametrize("job_id", [" job-in-blanks ", "job#1&x=%20+ü\"'"])
def test_any_id_is_one_to_open(visited: Visit, console: str, database: Store, job_id: str) -> None:
    job = {"job_id": job_id, "domain_id": ODD, "status": "SUCCESS", "created_at": scene.NOW}
    database.jobs.delete_many({"domain_id": ODD})
    database.jobs.insert_one(job)
    opened(visited.page, console, domain=ODD)

    visited.page.locator("#list a.open").click()

    expect(visited.page.locator("#job h1")).to_be_visible()
    awaited(visited.page)
    assert visited.page.locator("#job h1").text_content() == job_id

"""Jobs deleted on the page at `/`: confirmed, refused, answered late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser import scene
from tests.browser.home import awaited, give_token
from tests.browser.visits import Visit
from tests.support.store import Store
from tests.support.tokens import Issuer

DELETABLE = "domain-deletable"


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

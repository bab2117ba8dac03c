"""Tokens on the page at `/`: asked for, run out, half typed, and another caller's."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import scene
from tests.browser.home import awaited, give_token, open_jobs
from tests.browser.visits import Visit
from tests.support.tokens import Issuer


def test_where_a_token_is_needed_the_page_says_so(visited: Visit, guarded: str) -> None:
    visited.page.goto(guarded)

    expect(visited.page.locator("#welcome")).to_contain_text("This server asks for a token.")
    expect(visited.page.locator("#welcome a")).to_have_count(0)


@pytest.mark.parametrize("view", ["", "view=jobs", f"job={scene.job_id(1)}"])
def test_a_session_that_has_run_out_is_said_to_have_and_goes_on_with_a_new_token(
    visited: Visit, guarded: str, issuer: Issuer, view: str
) -> None:
    page = visited.page
    page.goto(f"{guarded}/#{view}")
    field = page.get_by_label("Token")
    give_token(page, issuer.token("DOMAIN_ADMIN", exp=1_700_000_000))

    expect(page.get_by_role("alert")).to_contain_text("Your session has run out at")
    expect(field).to_be_focused()
    give_token(page, issuer.token("DOMAIN_ADMIN"))

    awaited(page)
    expect(page.locator("main .view:visible")).to_have_count(1)


def test_a_refresh_sends_no_half_of_a_token_and_leaves_the_keyboard_where_it_writes(
    timed: Visit, guarded: str, issuer: Issuer
) -> None:
    page = timed.page
    open_jobs(page, guarded, issuer)
    page.get_by_role("switch").check()
    page.get_by_label("Token").press_sequentially("half")

    with page.expect_response("**/job/list") as good:
        page.clock.run_for(31_000)

    assert good.value.ok
    give_token(page, issuer.token("DOMAIN_ADMIN", exp=1_700_000_000))
    awaited(page, "refused")
    page.get_by_label("Domain").press_sequentially("domain")
    with page.expect_response("**/job/list"):
        page.clock.run_for(31_000)
    awaited(page, "refused")
    expect(page.get_by_label("Domain")).to_be_focused()


def test_what_one_caller_saw_is_not_left_for_the_next(
    visited: Visit, guarded: str, issuer: Issuer
) -> None:
    page = visited.page
    open_jobs(page, guarded, issuer)

    give_token(page, "nonsense")

    expect(page.get_by_role("alert")).to_contain_text("does not accept this token")
    assert scene.job_id(1) not in str(page.locator("main").text_content())

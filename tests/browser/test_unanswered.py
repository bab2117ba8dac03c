"""Servers that do not answer the page at `/`, or with something else than they should."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import scene
from tests.browser.home import awaited
from tests.browser.visits import Visit


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

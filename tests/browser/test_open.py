"""`inventory-job open`: the page at its address lists the jobs that its filters select."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from inventory_job.cli.client.filters import parse_filter
from tests.browser import scene
from tests.browser.home import awaited
from tests.browser.job_list import ids, listed
from tests.browser.visits import Visit
from tests.support.shell import Shell


@pytest.mark.parametrize(
    "filters",
    [
        ("status=SUCCESS,CANCELED",),
        ("status=IN_PROGRESS", "created_at<now-1h"),
        ("plugin_id=plugin-1", "created_at>=now-7d"),
        ("finished_at!=null", "job_id~00"),
        ("collector_id=collector-2", "workspace_id=workspace-1"),
    ],
    ids=" ".join,
)
def test_open_leads_to_the_jobs_that_list_shows(
    visited: Visit, console: str, filters: tuple[str, ...]
) -> None:
    options = [word for text in filters for word in ("-f", text)]

    opened = Shell()("open", *options, "--page", console, "--domain", scene.MANY)
    visited.page.goto(opened.stdout.strip())
    awaited(visited.page)

    expected = listed(console, filter=[parse_filter(text) for text in filters])
    assert expected
    assert ids(visited.page) == expected


def test_open_leads_to_a_job(visited: Visit, console: str) -> None:
    job_id = scene.job_id(3)

    opened = Shell()("open", job_id, "--page", console, "--domain", scene.MANY)
    visited.page.goto(opened.stdout.strip())

    expect(visited.page.locator("#job")).to_contain_text(job_id)

"""A browser for the tests of a module."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.visits import Visit, chromium, chromium_path, visit


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; without one the tests are skipped, but not where CI is set."""
    path = chromium_path()
    if path is None:
        reason = (
            "no chromium on the PATH (Debian: apt-get install chromium); "
            "INVENTORY_JOB_TEST_CHROMIUM names another"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with chromium(path) as opened:
        yield opened


@pytest.fixture
def visited(browser: Browser) -> Iterator[Visit]:
    """An empty page in a profile of its own."""
    with visit(browser) as opened:
        yield opened

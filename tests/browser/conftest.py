"""A browser for the tests of this directory alone, since no event loop can be run beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from inventory_job.auth.tokens import TokenAuthenticator
from tests.browser import scene
from tests.browser.visits import Profiles, Visit, chromium, chromium_path, visit
from tests.support.http_service import HttpPort, served
from tests.support.key_sources import Keys
from tests.support.store import Store
from tests.support.tokens import Issuer


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="module")
def profiles(browser: Browser) -> Iterator[Profiles]:
    """The browser's profiles."""
    with Profiles(browser) as opened:
        yield opened


@pytest.fixture
def visited(profiles: Profiles) -> Iterator[Visit]:
    """An empty page."""
    with profiles.visit() as opened:
        yield opened


@pytest.fixture
def timed(browser: Browser) -> Iterator[Visit]:
    """An empty page in a profile of its own, for a test that sets the clock, which is the
    profile's."""
    with visit(browser) as opened:
        opened.page.clock.install()
        yield opened


@pytest.fixture(scope="module")
def console(database: Store) -> Iterator[str]:
    """The origin of a server of `scene`'s jobs that trusts everybody, and offers their domain."""

    async def offered() -> str:
        return scene.MANY

    scene.load(database)
    with served(database, HttpPort(find_domain=offered)) as origin:
        yield origin


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """Who gives the tokens of the domain with many jobs."""
    return Issuer(scene.MANY)


@pytest.fixture(scope="module")
def guarded(console: str, database: Store, issuer: Issuer) -> Iterator[str]:
    """The origin of a server of the same jobs for callers with a token."""
    port = HttpPort(authenticator=TokenAuthenticator(Keys(issuer)), auth_mode="jwt")
    with served(database, port) as origin:
        yield origin

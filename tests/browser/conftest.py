"""A browser for the tests of this directory alone, since no event loop can be run beside it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from inventory_job.auth.tokens import TokenAuthenticator
from tests.browser import demo_scene, scene
from tests.browser.visits import THRIFTY, Profile, Visit, chromium, chromium_path, visit
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
    with chromium(path, THRIFTY) as opened:
        yield opened


@pytest.fixture(scope="package")
def profile(browser: Browser) -> Iterator[Profile]:
    """A profile of the browser, for all that needs none of its own."""
    with Profile(browser) as opened:
        yield opened


@pytest.fixture
def visited(profile: Profile) -> Iterator[Visit]:
    """An empty page."""
    with profile.visit() as opened:
        yield opened


@pytest.fixture
def timed(browser: Browser) -> Iterator[Visit]:
    """An empty page in a profile of its own, for a test that sets the clock, which is the
    profile's."""
    with visit(browser) as opened:
        opened.page.clock.install()
        yield opened


@pytest.fixture(scope="package")
def database(mongo_uri: str) -> Iterator[Store]:
    """A database with `scene`'s jobs."""
    with _store(mongo_uri) as store:
        scene.load(store)
        yield store


@pytest.fixture(scope="package")
def console(database: Store) -> Iterator[str]:
    """The origin of a server of `scene`'s jobs that trusts everybody, and offers their domain."""

    async def offered() -> str:
        return scene.MANY

    with served(database, HttpPort(find_domain=offered)) as origin:
        yield origin


@pytest.fixture(scope="package")
def issuer() -> Issuer:
    """Who gives the tokens of the domain with many jobs."""
    return Issuer(scene.MANY)


@pytest.fixture(scope="package")
def guarded(database: Store, issuer: Issuer) -> Iterator[str]:
    """The origin of a server of the same jobs for callers with a token."""
    port = HttpPort(authenticator=TokenAuthenticator(Keys(issuer)), auth_mode="jwt")
    with served(database, port) as origin:
        yield origin


@pytest.fixture(scope="package")
def demo(mongo_uri: str) -> Iterator[Store]:
    """A database with demo data, and with what is seldom stored."""
    with _store(mongo_uri) as store:
        demo_scene.load(store)
        yield store


@pytest.fixture(scope="package")
def origin(demo: Store) -> Iterator[str]:
    """The origin of a server of `demo`."""
    with served(demo) as address:
        yield address


@contextmanager
def _store(mongo_uri: str) -> Iterator[Store]:
    """A new database, which is dropped afterwards."""
    with Store(mongo_uri, f"inventory-job-test-{uuid.uuid4().hex}") as store:
        yield store
        store.client.drop_database(store.name)

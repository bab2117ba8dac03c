"""A look at a page in Chromium, and what the page did meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

Scheme = Literal["light", "dark"]


@dataclass(frozen=True)
class Look:
    """The browser a page is looked at with: its size in CSS pixels, and its preferences."""

    width: int = 1280
    height: int = 800
    scheme: Scheme = "light"
    pixel_ratio: float = 1.0
    time_zone: str = "Asia/Seoul"


@dataclass(frozen=True)
class Visit:
    """An open page, the URLs that it requested, and what the console complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def foreign_requests(self, origin: str) -> list[str]:
        """The requests that left `origin`."""
        return [url for url in self.requests if not url.startswith((f"{origin}/", "data:"))]


def chromium_path() -> str | None:
    """The program: INVENTORY_JOB_TEST_CHROMIUM, else the one on the PATH; None without."""
    configured = os.environ.get("INVENTORY_JOB_TEST_CHROMIUM")
    return configured or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser: Browser, look: Look | None = None) -> Iterator[Visit]:
    """An empty page, in a profile of its own."""
    with _profile(browser, look or Look()) as profile:
        yield _opened(profile)


class Profiles:
    """The profiles of a browser, one for each look, kept from visit to visit, so that scripts and
    styles are loaded once; a context manager."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._profiles: dict[Look, BrowserContext] = {}
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @contextmanager
    def visit(self, look: Look | None = None) -> Iterator[Visit]:
        """An empty page, which may leave nothing but caches for the next one."""
        look = look or Look()
        if look not in self._profiles:
            self._profiles[look] = self._opened.enter_context(_profile(self._browser, look))
            # With its last page a profile would lose its caches.
            self._profiles[look].new_page()
        profile = self._profiles[look]
        try:
            yield _opened(profile)
            assert profile.storage_state() == {"cookies": [], "origins": []}
        finally:
            profile.clear_permissions()
            for page in profile.pages[1:]:
                page.close()


@contextmanager
def _profile(browser: Browser, look: Look) -> Iterator[BrowserContext]:
    profile = browser.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme=look.scheme,
        device_scale_factor=look.pixel_ratio,
        timezone_id=look.time_zone,
        locale="en-US",
    )
    profile.set_default_timeout(15_000)
    try:
        yield profile
    finally:
        profile.close()


def _opened(profile: BrowserContext) -> Visit:
    opened = Visit(profile.new_page())
    _record(opened)
    return opened


def _record(opened: Visit) -> None:
    def record(request: Request) -> None:
        opened.requests.append(request.url)

    page = opened.page
    page.on("request", record)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            opened.complaints.append(said.text) if said.type in {"error", "warning"} else None
        ),
    )

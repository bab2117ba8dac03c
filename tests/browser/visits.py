"""A look at a page in Chromium, and what the page did meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
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
    """An open page, and what the console complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def requested(self) -> list[str]:
        """The URLs that the page requests from now on, put down one by one."""
        urls: list[str] = []

        def record(request: Request) -> None:
            urls.append(request.url)

        self.page.on("request", record)
        return urls


def foreign(urls: Iterable[str], origin: str) -> list[str]:
    """The URLs outside of `origin`."""
    return [url for url in urls if not url.startswith((f"{origin}/", "data:"))]


def chromium_path() -> str | None:
    """The program: INVENTORY_JOB_TEST_CHROMIUM, else the one on the PATH; None without."""
    configured = os.environ.get("INVENTORY_JOB_TEST_CHROMIUM")
    return configured or shutil.which("chromium") or shutil.which("chromium-browser")


_FEATURES = (
    "NetworkServiceInProcess2",
    # Given by Playwright, whose list this one replaces.
    "CDPScreenshotNewSurface",
    "SkipListAccountsWithoutGaiaCookies",
)
THRIFTY = (
    "--process-per-site",
    "--renderer-process-limit=1",
    f"--enable-features={','.join(_FEATURES)}",
)
"""Options with which Chromium shows the same with fewer processes."""


@contextmanager
def chromium(path: str, options: Sequence[str] = ()) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as driver:
        args = ["--disable-gpu", *options]
        browser = driver.chromium.launch(executable_path=path, args=args)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser: Browser, look: Look | None = None) -> Iterator[Visit]:
    """An empty page, in a profile of its own."""
    with _profile(browser, look or Look()) as profile:
        yield _opened(profile)


_STORED = "location.protocol === 'about:' ? 0 : localStorage.length"


class Profile:
    """A profile that is kept from visit to visit, so that scripts and styles are loaded once; a
    context manager."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        self._profile = self._opened.enter_context(_profile(self._browser, Look()))
        # With its last page a profile would lose its caches.
        self._profile.new_page()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._opened:
            assert kind or self._profile.storage_state() == {"cookies": [], "origins": []}

    @contextmanager
    def visit(
        self, width: int = Look.width, height: int = Look.height, scheme: Scheme = Look.scheme
    ) -> Iterator[Visit]:
        """An empty page, which may leave nothing but caches for the next one."""
        before = self._profile.pages
        try:
            opened = _opened(self._profile)
            opened.page.set_viewport_size({"width": width, "height": height})
            opened.page.emulate_media(color_scheme=scheme)
            yield opened
            assert self._profile.cookies() == []
            assert opened.page.evaluate(_STORED) == 0
        finally:
            self._profile.clear_permissions()
            for page in self._profile.pages:
                if page not in before:
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
    page = opened.page
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            opened.complaints.append(said.text) if said.type in {"error", "warning"} else None
        ),
    )

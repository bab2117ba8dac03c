"""Takes the pictures of the pages into docs/images/, with demo data that ends now."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from harness.databases import DATABASE, demo_database
from playwright.sync_api import Browser, FloatRect

from inventory_job.embedded.demo_data import LARGEST_TENANT, Demo
from tests.browser import home
from tests.browser.visits import Look, chromium, chromium_path, visit
from tests.support.http_service import served
from tests.support.store import Store

_FOLDER = Path("docs/images")
_JOBS = 10_000
_VIEWS = {
    "home-light.png": ("", Look()),
    "home-dark.png": ("", Look(scheme="dark")),
    "home-phone.png": ("", Look(width=390, pixel_ratio=2.0)),
    "jobs-light.png": ("&view=jobs&status=FAILURE&range=30d", Look()),
    "jobs-dark.png": ("&view=jobs", Look(scheme="dark")),
    "job-light.png": ("&job={failed}", Look(height=660)),
}
_PHONE_PICTURE = FloatRect(x=0, y=0, width=390, height=1480)
"""The whole page is longer by far."""

_TO_BODY = "(block) => block.querySelector('.opblock-section-request-body').scrollIntoView()"
_LIST = """{
  "query": {
    "filter": [{"key": "status", "operator": "eq", "value": "FAILURE"}],
    "only": ["job_id", "plugin_id"],
    "page": {"limit": 2}
  }
}"""


def main() -> int:
    """Writes all pictures; 1 without the programs it needs."""
    path, shrinker = chromium_path(), shutil.which("pngquant")
    if path is None or shrinker is None:
        sys.stderr.write("this needs chromium and pngquant on the PATH\n")
        return 1
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with _demo() as origin, chromium(path) as browser:
        for name, (view, look) in _VIEWS.items():
            address = f"{origin}/#domain={LARGEST_TENANT}{view.format(failed=_failed(origin))}"
            _picture(browser, address, look, _FOLDER / name)
        _picture_docs(browser, origin, _FOLDER / "docs.png")
    for picture in sorted(_FOLDER.glob("*.png")):
        subprocess.run([shrinker, "--force", "--ext", ".png", "--speed", "1", picture], check=True)
        print(f"{picture} {picture.stat().st_size:,} bytes")
    return 0


@contextmanager
def _demo() -> Iterator[str]:
    """The origin of a server whose database is gone afterwards."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    with (
        demo_database(Demo(_JOBS, seed=0, until=now)) as uri,
        Store(uri, DATABASE) as store,
        served(store) as origin,
    ):
        yield origin


def _failed(origin: str) -> str:
    """The id of a failed job, neither the newest nor of long ago."""
    query = {"filter": [{"k": "status", "v": "FAILURE", "o": "eq"}], "page": {"start": 9}}
    answer = httpx.post(
        f"{origin}/inventory/v1/job/list",
        json={"query": query},
        headers={"x-domain-id": LARGEST_TENANT},
    )
    return str(answer.json()["results"][0]["job_id"])


def _picture(browser: Browser, address: str, look: Look, file: Path) -> None:
    with visit(browser, look) as seen:
        seen.page.goto(address)
        home.awaited(seen.page)
        if look.width < 400:
            seen.page.screenshot(path=file, full_page=True, clip=_PHONE_PICTURE)
        else:
            seen.page.screenshot(path=file, full_page="view=" not in address)


def _picture_docs(browser: Browser, origin: str, file: Path) -> None:
    with visit(browser, Look(height=1280)) as seen:
        page = seen.page
        page.goto(f"{origin}/docs")
        block = page.locator("#operations-Job-list")
        block.locator(".opblock-summary-control").click()
        block.get_by_placeholder("x-domain-id").fill(LARGEST_TENANT)
        block.locator("textarea").fill(_LIST)
        block.get_by_role("button", name="Execute").click()
        block.locator(".live-responses-table .response").wait_for()
        page.mouse.click(4, 4)
        block.evaluate(_TO_BODY)
        page.screenshot(path=file)


if __name__ == "__main__":
    sys.exit(main())

"""How soon the page at `/` shows the list of a large tenant's jobs, in headless Chromium.

Every visit is in a fresh profile: nothing is cached. The seconds are those from the start of the
navigation until the table is drawn, as the browser counts them. The first visit after the server's
start has to count the jobs; those after it find the total kept.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from harness.databases import create_indexes, mongodb
from harness.servers import ServerProcess, unwind_on_sigterm
from playwright.sync_api import Browser

from tests.browser.visits import chromium, chromium_path, visit
from tests.support.store import Store

_DOMAIN = "domain-large"
_DATABASE = "inventory-job-bench-page"
_UNTIL = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
_BATCH = 10_000
_VIEWS = {
    "newest": "",
    "failures of 30 days": "&status=FAILURE&range=30d",
    "a collector's": "&collector=collector-7",
    "an id's beginning": "&q=job-00000000a",
    "overview": None,
}
_NOTE_WHEN_READY = """
new MutationObserver(() => {
  if (document.getElementById("page")?.dataset.state === "ready") {
    window.readyAt ??= performance.now();
  }
}).observe(document, { subtree: true, childList: true, attributes: true });
"""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--visits", type=int, default=10)
    parser.add_argument("--mongo-uri", help="default: a MongoDB of its own")
    given = parser.parse_args()
    path = chromium_path()
    if path is None:
        sys.exit("this needs chromium on the PATH")
    unwind_on_sigterm()
    with mongodb(given.mongo_uri) as uri, ExitStack() as resources:
        _seed(uri, given.jobs)
        folder = resources.enter_context(tempfile.TemporaryDirectory())
        settings = {"MONGO_URI": uri, "MONGO_DATABASE": _DATABASE, "HTTP": True, "HTTP_PORT": 0}
        server = resources.enter_context(ServerProcess(Path(folder) / "log", settings))
        origin = f"http://{server.http_address}"
        browser = resources.enter_context(chromium(path))
        print(f"{given.jobs} jobs; seconds until the table is there, {given.visits} visits")
        for name, filters in _VIEWS.items():
            _print(name, [_seconds(browser, origin, filters) for _ in range(given.visits)])


def _seed(uri: str, jobs: int) -> None:
    with Store(uri, _DATABASE) as store:
        if store.jobs.estimated_document_count() == jobs:
            return
        store.jobs.drop()
        documents = _documents(jobs)
        while batch := list(islice(documents, _BATCH)):
            store.jobs.insert_many(batch, ordered=False)
    create_indexes(uri, _DATABASE)


def _documents(jobs: int) -> Iterator[dict[str, Any]]:
    """A job every half minute, oldest first."""
    for number in range(jobs):
        begun = _UNTIL - timedelta(seconds=30 * (jobs - number))
        failed = number % 9 == 0
        yield {
            "job_id": f"job-{number:012x}",
            "domain_id": _DOMAIN,
            "status": "FAILURE" if failed else "SUCCESS",
            "collector_id": f"collector-{number % 50}",
            "plugin_id": f"plugin-{number % 8}",
            "workspace_id": f"workspace-{number % 10}",
            "total_tasks": 4,
            "remained_tasks": 0,
            "success_tasks": 4 - failed,
            "failure_tasks": int(failed),
            "created_at": begun,
            "updated_at": begun + timedelta(seconds=40),
            "finished_at": begun + timedelta(seconds=40),
        }


def _seconds(browser: Browser, origin: str, filters: str | None) -> float:
    with visit(browser) as seen:
        seen.page.add_init_script(_NOTE_WHEN_READY)
        view = "" if filters is None else f"&view=jobs{filters}"
        seen.page.goto(f"{origin}/#domain={_DOMAIN}{view}")
        seen.page.wait_for_selector("main[data-state=ready]")
        if view and seen.page.locator("#list tbody tr").count() == 0:
            sys.exit("the page shows no jobs")
        return float(seen.page.evaluate("window.readyAt")) / 1000


def _print(name: str, seconds: list[float]) -> None:
    first, *others = seconds
    print(
        f"{name:20}  first {first:.2f}   then median {statistics.median(others):.2f}, "
        f"most {max(others):.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()

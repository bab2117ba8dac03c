"""`inventory-job top`: the running jobs, their progress, and which are likely stuck."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from inventory_job.cli.client import options
from inventory_job.cli.client.calls import JobClient
from inventory_job.cli.client.cells import cell, encodable, visible
from inventory_job.cli.client.durations import duration, in_words
from inventory_job.cli.client.filters import Condition
from inventory_job.cli.client.live import follow
from inventory_job.cli.client.output import plain_table, terminal
from inventory_job.cli.client.periods import now
from inventory_job.cli.client.queries import LARGEST_PAGE, Page, Request, Selection, list_request
from inventory_job.cli.client.session import connected, warn
from inventory_job.cli.client.stuck import UsualDurations, flags
from inventory_job.cli.client.tables import bare_table, one_line
from inventory_job.cli.client.tasks import tasks_of

Job = Mapping[str, Any]

_PLAIN_FIELDS = (
    "job_id",
    "created_at",
    "total_tasks",
    "remained_tasks",
    "success_tasks",
    "failure_tasks",
    "plugin_id",
    "collector_id",
    "flags",
)
_SHORTEST_BAR, _LONGEST_BAR = 6, 20
_WIDTH_OF_OTHERS = 91
"""The width of the other columns when ids of jobs and plugins have their usual length."""
_LINES_AROUND = 5
"""Lines of the view beside jobs: its title, an error and the head of its table."""


_ORDERS = {
    "newest first": "-created_at",
    "oldest first": "created_at",
    "longest without update first": "updated_at,created_at",
    "most failed tasks first": "-failure_tasks,-created_at",
    "most tasks left first": "-remained_tasks,-created_at",
    "by plugin": "plugin_id,-created_at",
}
"""The orders through which the key s cycles, each with its --sort."""

_RUNNING: Condition = {"key": "status", "value": "IN_PROGRESS", "operator": "eq"}


class Top:
    """The live.View: a window of the running jobs, in one of several orders: names and sort keys.
    Without a terminal, the window has as many jobs as a response."""

    def __init__(
        self,
        client: JobClient,
        selected: Selection,
        orders: Sequence[tuple[str, list[Request]]],
        console: Console,
        interval: float,
    ) -> None:
        self._client = client
        self._selected = selected.narrowed(_RUNNING)
        self._orders = orders
        self._console = console
        self._interval = interval
        self._usual = UsualDurations(client)
        self._order = 0
        self._start = 0
        self._total = 0
        self._first = 0
        self.jobs: list[Job] = []
        """The jobs in the window when they were fetched, each with its `flags`."""

    @property
    def request(self) -> Request:
        """The list request for the window."""
        _, sort = self._orders[self._order]
        return list_request(self._selected, Page(self._start + 1, self._room()), sort, ())

    def fetch(self) -> None:
        answer = self._client.call("list", self.request)
        last = max(answer["total_count"] - self._room(), 0)
        if self._start > last:
            self._start = last
            answer = self._client.call("list", self.request)
        jobs = answer["results"]
        longest = self._usual.of(job["plugin_id"] for job in jobs)
        time = now()
        self.jobs = [{**job, "flags": " ".join(flags(job, longest, time))} for job in jobs]
        self._first = self._start + 1
        self._total = answer["total_count"]

    def press(self, key: str) -> bool:
        """Handles s (the next order) and arrows, PgUp, PgDn, Home and End (scrolling)."""
        if key == "s":
            self._order, self._start = (self._order + 1) % len(self._orders), 0
            return True
        page = self._room()
        steps = {"up": -1, "down": 1, "page up": -page, "page down": page}
        steps |= {"home": -self._start, "end": self._total}
        last = max(self._total - page, 0)
        before = self._start
        self._start = min(max(self._start + steps.get(key, 0), 0), last)
        return self._start != before

    def shown(self) -> Sequence[RenderableType]:
        order, _ = self._orders[self._order]
        window = ""
        if self._total > len(self.jobs):
            last = self._first + len(self.jobs) - 1
            window = f"  {self._first} to {last} shown, arrows scroll"
        heading = f"  {visible(self._client.endpoint)}, every {self._interval:g} s, s sorts, q ends"
        title = one_line(
            (f"{self._total} running, {order}", "bold"),
            (f"{window}{heading}", "bold dim"),
            encoding=self._console.encoding,
        )
        return title, _table(self.jobs, self._console, now())

    def _room(self) -> int:
        if not self._console.is_terminal:
            return LARGEST_PAGE
        return min(max(self._console.height - _LINES_AROUND, 1), LARGEST_PAGE)


@connected
def top(
    client: JobClient,
    filters: options.Filters = None,
    any_filters: options.AnyFilters = None,
    keyword: options.Keyword = "",
    sort: options.Sort = None,
    interval: options.Interval = 2.0,
) -> None:
    """Watch the running jobs until q or Ctrl-C; print them once when not on a terminal.

    Keys: s sorts them otherwise; arrows, PgUp, PgDn, Home and End scroll.

    Flags: slow is a job that has been running for longer than 99 % of its
    plugin's newest finished jobs took, stale one not updated for an hour.
    """
    selected = options.selection(filters, any_filters, keyword)
    orders = [(name, options.sorting([text])) for name, text in _ORDERS.items()]
    if sort:
        orders.insert(0, (f"sorted by {','.join(sort)}", options.sorting(sort)))
    console = terminal()
    shown = Top(client, selected, orders, console, interval)
    shown.fetch()
    warn("list", shown.request)
    if console.is_terminal:
        follow(shown, console, interval)
    else:
        sys.stdout.write(plain_table(_PLAIN_FIELDS, shown.jobs))


def _table(jobs: Sequence[Job], console: Console, time: datetime) -> Table:
    encoding = console.encoding
    width = min(max(console.width - _WIDTH_OF_OTHERS, _SHORTEST_BAR), _LONGEST_BAR)
    made = bare_table()
    for name in ("job", "age", "progress", "tasks", "failed", "stuck"):
        right = name in {"age", "tasks", "failed"}
        made.add_column(name, justify="right" if right else "left", no_wrap=True)
    made.add_column("plugin")
    for job in jobs:
        age, tasks, failed = duration(job, time), tasks_of(job), job["failure_tasks"]
        made.add_row(
            Text(encodable(cell(job["job_id"]), encoding)),
            "" if age is None else in_words(age),
            _progress(tasks.done, tasks.total, width),
            f"{tasks.done}/{tasks.total}",
            Text(str(failed), style="bold red" if failed else ""),
            Text(job["flags"], style="bold red"),
            one_line(encodable(cell(job["plugin_id"]), encoding), encoding=encoding),
        )
    return made


def _progress(done: int, total: int, width: int) -> Table | Text:
    if not total:
        return Text("-", style="dim")
    bar = Table.grid(padding=(0, 1, 0, 0))
    bar.add_row(ProgressBar(total, done, width=width), f"{100 * done // total:3}%")
    return bar

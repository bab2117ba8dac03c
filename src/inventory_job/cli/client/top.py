"""`inventory-job top`: the running jobs, their progress, and which are likely stuck."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from inventory_job.cli.client import options
from inventory_job.cli.client.calls import JobClient
from inventory_job.cli.client.cells import cell, encodable, visible
from inventory_job.cli.client.durations import duration, in_words
from inventory_job.cli.client.live import follow
from inventory_job.cli.client.output import plain_table, terminal
from inventory_job.cli.client.queries import LARGEST_PAGE, Request, Selection, running_request
from inventory_job.cli.client.session import connected, warn
from inventory_job.cli.client.stuck import UsualDurations, flags
from inventory_job.cli.client.tables import bare_table, overflow
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


@dataclass(frozen=True, slots=True)
class Order:
    """A sort order of the running jobs, and its name."""

    name: str
    sort: Sequence[Request]


def _order(name: str, text: str) -> Order:
    return Order(name, options.sorting([text]))


ORDERS = (
    _order("newest first", "-created_at"),
    _order("oldest first", "created_at"),
    _order("longest without update first", "updated_at,created_at"),
    _order("most failed tasks first", "-failure_tasks,-created_at"),
    _order("most tasks left first", "-remained_tasks,-created_at"),
    _order("by plugin", "plugin_id,-created_at"),
)
"""The orders through which the key s cycles."""


@dataclass(frozen=True, slots=True)
class Running:
    """A window of the running jobs, each with its `flags`: the jobs from number `start`, counted
    from 0, and the `total` of all running jobs."""

    jobs: Sequence[Job]
    start: int
    total: int


class Top:
    """The live.View: a window of the running jobs, in one of several orders."""

    def __init__(
        self,
        client: JobClient,
        selected: Selection,
        orders: Sequence[Order],
        console: Console,
        interval: float,
    ) -> None:
        self._client = client
        self._selected = selected
        self._orders = orders
        self._console = console
        self._interval = interval
        self._usual = UsualDurations(client)
        self._order = 0
        self._start = 0
        self._running = Running((), 0, 0)

    def fetch(self) -> None:
        running = self._asked()
        last = max(running.total - self._room(), 0)
        if self._start > last:
            self._start = last
            running = self._asked()
        self._running = running

    def press(self, key: str) -> bool:
        """Handles s (the next order) and arrows, PgUp, PgDn, Home and End (scrolling)."""
        if key == "s":
            self._order, self._start = (self._order + 1) % len(self._orders), 0
            return True
        page = self._room()
        steps = {"up": -1, "down": 1, "page up": -page, "page down": page}
        steps |= {"home": -self._start, "end": self._running.total}
        last = max(self._running.total - page, 0)
        before = self._start
        self._start = min(max(self._start + steps.get(key, 0), 0), last)
        return self._start != before

    def shown(self) -> Sequence[RenderableType]:
        heading = f"{visible(self._client.endpoint)}, every {self._interval:g} s"
        return view(self._running, self._orders[self._order].name, heading, self._console, _now())

    def _asked(self) -> Running:
        order = self._orders[self._order]
        return fetched(
            self._client, self._selected, order, self._usual, (self._start, self._room())
        )

    def _room(self) -> int:
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
    given = options.sorting(sort)
    orders = (Order(f"sorted by {','.join(sort)}", given), *ORDERS) if sort else ORDERS
    console = terminal()
    if not console.is_terminal:
        usual = UsualDurations(client)
        running = fetched(client, selected, orders[0], usual, (0, LARGEST_PAGE))
        _warn(selected, orders[0])
        sys.stdout.write(plain_table(_PLAIN_FIELDS, running.jobs))
        return
    shown = Top(client, selected, orders, console, interval)
    shown.fetch()
    _warn(selected, orders[0])
    follow(shown, console, interval)


def fetched(
    client: JobClient,
    selected: Selection,
    order: Order,
    usual: UsualDurations,
    window: tuple[int, int],
) -> Running:
    """The running jobs in `window`: the number of the first one, counted from 0, and the maximum
    number of jobs. Raises CallFailed."""
    start, most = window
    answer = client.call("list", running_request(selected, order.sort, start, most))
    longest = usual.of(job["plugin_id"] for job in answer["results"])
    now = _now()
    jobs = [{**job, "flags": " ".join(flags(job, longest, now))} for job in answer["results"]]
    return Running(jobs, start, answer["total_count"])


def view(
    running: Running, order: str, heading: str, console: Console, now: datetime
) -> Sequence[RenderableType]:
    """A title and a table of the running jobs at the time `now` (naive UTC)."""
    title = Text(f"{running.total} running, {order}", style="bold", no_wrap=True)
    if running.total > len(running.jobs):
        first, last = running.start + 1, running.start + len(running.jobs)
        title.append(f"  {first} to {last} shown, arrows scroll", style="dim")
    title.append(f"  {heading}, s sorts, q ends", style="dim")
    title.overflow = overflow(console.encoding)
    return title, _table(running.jobs, console, now)


def _table(jobs: Sequence[Job], console: Console, now: datetime) -> Table:
    encoding = console.encoding
    width = min(max(console.width - _WIDTH_OF_OTHERS, _SHORTEST_BAR), _LONGEST_BAR)
    made = bare_table()
    for name in ("job", "age", "progress", "tasks", "failed", "stuck"):
        right = name in {"age", "tasks", "failed"}
        made.add_column(name, justify="right" if right else "left", no_wrap=True)
    made.add_column("plugin")
    for job in jobs:
        age, tasks, failed = duration(job, now), tasks_of(job), job["failure_tasks"]
        made.add_row(
            Text(encodable(cell(job["job_id"]), encoding)),
            "" if age is None else in_words(age),
            _progress(tasks.done, tasks.total, width),
            f"{tasks.done}/{tasks.total}",
            Text(str(failed), style="bold red" if failed else ""),
            Text(job["flags"], style="bold red"),
            Text(
                encodable(cell(job["plugin_id"]), encoding),
                no_wrap=True,
                overflow=overflow(encoding),
            ),
        )
    return made


def _progress(done: int, total: int, width: int) -> Table | Text:
    if not total:
        return Text("-", style="dim")
    bar = Table.grid(padding=(0, 1, 0, 0))
    bar.add_row(ProgressBar(total, done, width=width), f"{100 * done // total:3}%")
    return bar


def _warn(selected: Selection, order: Order) -> None:
    warn("list", running_request(selected, order.sort, 0, LARGEST_PAGE))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)

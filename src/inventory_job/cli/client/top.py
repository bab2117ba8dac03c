"""`inventory-job top`: the running jobs and how far they are."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from inventory_job.cli.client import options
from inventory_job.cli.client.calls import CallFailed, ExitCode, JobClient
from inventory_job.cli.client.cells import cell, encodable, visible
from inventory_job.cli.client.keyboard import quit_key
from inventory_job.cli.client.output import plain_table, terminal
from inventory_job.cli.client.queries import LARGEST_PAGE, Selection, running_request
from inventory_job.cli.client.session import connected, warn
from inventory_job.cli.client.tables import bare_table, overflow
from inventory_job.query.times import parse_iso

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
)
_BAR_WIDTH = 20
_LINES_AROUND = 5
"""Lines of the view that are no jobs: its title and the head of its table."""


@dataclass(frozen=True, slots=True)
class Running:
    """The running jobs shown, and how many there are; `problem` is why they are not newer."""

    jobs: Sequence[Job]
    total: int
    problem: str = ""


@connected
def top(
    client: JobClient,
    filters: options.Filters = None,
    any_filters: options.AnyFilters = None,
    keyword: options.Keyword = "",
    interval: Annotated[float, typer.Option("--interval", "-n", min=0.5, help="Seconds.")] = 2.0,
) -> None:
    """Watch the running jobs until q or Ctrl-C; print them once when not on a terminal."""
    selected = options.selection(filters, any_filters, keyword)
    console = terminal()
    if not console.is_terminal:
        running = _fetch(client, selected, LARGEST_PAGE)
        warn("list", running_request(selected, LARGEST_PAGE))
        sys.stdout.write(plain_table(_PLAIN_FIELDS, running.jobs))
        return
    running = _fetch(client, selected, _room(console))
    warn("list", running_request(selected, LARGEST_PAGE))
    try:
        _watch(client, selected, console, running, interval)
    except KeyboardInterrupt:
        return


def _watch(
    client: JobClient, selected: Selection, console: Console, running: Running, interval: float
) -> None:
    with quit_key() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            shown = view(running, client.endpoint, interval, _now(), console.encoding)
            live.update(shown, refresh=True)
            if pressed(interval):
                return
            try:
                running = _fetch(client, selected, _room(console))
            except CallFailed as failure:
                # A server that restarts comes back; other failures stay.
                if failure.exit_code is not ExitCode.UNAVAILABLE:
                    raise
                running = Running(running.jobs, running.total, failure.message)


def view(
    running: Running, endpoint: str, interval: float, now: datetime, encoding: str = "utf-8"
) -> Group:
    """The running jobs as one screen at the time `now`, naive UTC."""
    title = Text(f"{running.total} running", style="bold")
    title.append(f"  {visible(endpoint)}, every {interval:g} s, q ends", style="dim")
    if running.total > len(running.jobs):
        title.append(f"  the {len(running.jobs)} newest shown", style="dim")
    lines: list[Text | Table] = [title, _table(running.jobs, now, encoding)]
    if running.problem:
        problem = Text(
            encodable(visible(running.problem), encoding), style="bold red", no_wrap=True
        )
        problem.overflow = overflow(encoding)
        lines.insert(1, problem)
    return Group(*lines)


def age(created_at: str, now: datetime) -> str:
    """How long ago a job was created, in two units at most; nothing if that is not known."""
    try:
        elapsed = max(now - parse_iso(created_at), timedelta())
    except ValueError:
        return ""
    minutes, seconds = divmod(int(elapsed.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds:02}s"


def finished(job: Job) -> tuple[int, int]:
    """How many of a job's tasks are done, and how many there are, at least that many."""
    total, remained = max(job["total_tasks"], 0), max(job["remained_tasks"], 0)
    return max(total - remained, 0), total


def _table(jobs: Sequence[Job], now: datetime, encoding: str) -> Table:
    made = bare_table()
    made.add_column("job", no_wrap=True)
    made.add_column("age", justify="right", no_wrap=True)
    made.add_column("progress", no_wrap=True)
    made.add_column("tasks", justify="right", no_wrap=True)
    made.add_column("failed", justify="right", no_wrap=True)
    made.add_column("plugin")
    for job in jobs:
        done, total = finished(job)
        failed = job["failure_tasks"]
        made.add_row(
            Text(encodable(cell(job["job_id"]), encoding)),
            age(job["created_at"], now),
            _progress(done, total),
            f"{done}/{total}",
            Text(str(failed), style="bold red" if failed else ""),
            Text(
                encodable(cell(job["plugin_id"]), encoding),
                no_wrap=True,
                overflow=overflow(encoding),
            ),
        )
    return made


def _progress(done: int, total: int) -> Table | Text:
    if not total:
        return Text("-", style="dim")
    bar = Table.grid(padding=(0, 1, 0, 0))
    bar.add_row(ProgressBar(total, done, width=_BAR_WIDTH), f"{100 * done // total:3}%")
    return bar


def _fetch(client: JobClient, selected: Selection, most: int) -> Running:
    answer = client.call("list", running_request(selected, most))
    return Running(answer["results"], answer["total_count"])


def _room(console: Console) -> int:
    return min(max(console.height - _LINES_AROUND, 1), LARGEST_PAGE)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)

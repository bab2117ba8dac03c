"""`inventory-job get`, `list` and `delete`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from inventory_job.cli.client import completion, options
from inventory_job.cli.client.calls import JOB_FIELDS, CallFailed, ExitCode, JobClient, Plain
from inventory_job.cli.client.cells import visible
from inventory_job.cli.client.live import follow
from inventory_job.cli.client.output import Answer, Format, as_table, terminal, write
from inventory_job.cli.client.queries import LARGEST_PAGE, Page, list_request
from inventory_job.cli.client.session import connected, warn
from inventory_job.cli.client.tables import one_line

MOST_JOBS = 10_000
"""The maximum number of jobs that `list --all` shows."""

_TABLE_FIELDS = (
    "job_id",
    "status",
    "created_at",
    "finished_at",
    "plugin_id",
)

_LINES_AROUND = 6
"""Lines of a watched list beside jobs: title, error, table head and two notes."""


@connected
def get(
    client: JobClient,
    job_id: Annotated[str, typer.Argument(help="The job's id.")],
    output: options.Output = Format.TABLE,
) -> None:
    """Show a job as the server answers."""
    answer = client.call("get", {"job_id": job_id})
    job = {name: answer[name] for name in JOB_FIELDS}
    if output is not Format.TABLE:
        write(Answer(job, [job], JOB_FIELDS), output)
        return
    members = [{"field": name, "value": job.get(name)} for name in JOB_FIELDS]
    write(Answer(job, members, ("field", "value"), folded=("value",)), output)


@connected
def list_jobs(
    client: JobClient,
    filters: options.Filters = None,
    any_filters: options.AnyFilters = None,
    keyword: options.Keyword = "",
    sort: options.Sort = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            autocompletion=completion.fields,
            help="Fields to show: job_id,status. Default: all; in a table the most asked for.",
        ),
    ] = None,
    page: options.PageNumber = 1,
    page_size: options.PageSize = 20,
    everything: Annotated[
        bool, typer.Option("--all", help=f"All pages, if that is no more than {MOST_JOBS} jobs.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show them anew until q or Ctrl-C.")
    ] = False,
    interval: options.Interval = 2.0,
    output: options.Output = Format.TABLE,
) -> None:
    """List jobs, the newest first unless sorted."""
    selected = options.selection(filters, any_filters, keyword)
    fields = options.names("--only", only)
    if not fields and output is Format.TABLE:
        fields = _TABLE_FIELDS
    shown = Page.numbered(page, page_size)
    request = list_request(selected, shown, options.sorting(sort), fields)
    if watch:
        if everything or output is not Format.TABLE:
            raise typer.BadParameter("it shows one page, as a table", param_hint="--watch")
        _follow(_Listed(client, request, fields, interval))
        return
    answer = _all_pages(client, request) if everything else client.call("list", request)
    warn("list", request)
    columns = fields or JOB_FIELDS
    jobs = _rows(answer, columns)
    total: int = answer["total_count"]
    whole = {"results": jobs, "total_count": total}
    note = "" if everything else _note(page, shown.start, len(jobs), total)
    write(Answer(whole, jobs, columns, note), output)


@connected
def delete(
    client: JobClient,
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB_ID...", help="The jobs' ids.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
) -> None:
    """Delete jobs and their tasks, after asking; the first that fails ends it."""
    if not yes:
        if not sys.stdin.isatty():
            reason = "delete asks first, and standard input is no terminal; --yes skips that"
            raise CallFailed(ExitCode.USAGE, reason)
        typer.confirm(f"Delete {', '.join(job_ids)} with all tasks?", abort=True, err=True)
    for job_id in job_ids:
        client.call("delete", {"job_id": job_id})
        typer.echo(f"deleted {job_id}")


class _Listed:
    """A live.View of a page of jobs, as many as fit the terminal."""

    def __init__(
        self, client: JobClient, request: Plain, fields: Sequence[str], interval: float
    ) -> None:
        self.console = terminal()
        self.request = request
        self.interval = interval
        self._client = client
        self._fields = fields
        self._answer: Plain = {"results": [], "total_count": 0}

    def fetch(self) -> None:
        self._answer = self._client.call("list", self.request)

    def press(self, key: str) -> bool:
        """Ignores all keys; the caller handles QUIT."""
        return False

    def shown(self) -> Sequence[RenderableType]:
        console, total = self.console, self._answer["total_count"]
        heading = f"  {visible(self._client.endpoint)}, every {self.interval:g} s, q ends"
        title = one_line((f"{total} jobs", "bold"), (heading, "dim"), encoding=console.encoding)
        jobs = _rows(self._answer, self._fields)[: max(console.height - _LINES_AROUND, 1)]
        page = self.request["query"]["page"]
        note = f"jobs {page['start']} to {page['start'] + len(jobs) - 1} shown" if jobs else ""
        answer = Answer(None, jobs, self._fields, note if len(jobs) < total else "")
        return title, *as_table(answer, console)


def _follow(listed: _Listed) -> None:
    if not listed.console.is_terminal:
        reason = "--watch is for a terminal, and standard output is none"
        raise CallFailed(ExitCode.USAGE, reason)
    listed.fetch()
    warn("list", listed.request)
    follow(listed, listed.console, listed.interval)


def _rows(answer: Plain, columns: Sequence[str]) -> list[Plain]:
    return [{name: job[name] for name in columns if name in job} for job in answer["results"]]


def _all_pages(client: JobClient, request: Plain) -> Plain:
    """The response with the jobs of all pages; raises CallFailed if there are too many."""
    jobs: list[Plain] = []
    total = MOST_JOBS
    for number in range(1, MOST_JOBS // LARGEST_PAGE + 1):
        page = Page.numbered(number, LARGEST_PAGE)
        answer = client.call("list", {"query": {**request["query"], **page.query()}})
        total = answer["total_count"]
        if total > MOST_JOBS:
            reason = f"there are {total} jobs, and --all shows {MOST_JOBS} at most; filter further"
            raise CallFailed(ExitCode.FAILED, reason)
        jobs += answer["results"]
        if len(answer["results"]) < LARGEST_PAGE:
            break
    return {"results": jobs, "total_count": total}


def _note(page: int, start: int, count: int, total: int) -> str:
    if count == total:
        return ""
    if not count:
        return f"no jobs on page {page}; there are {total}"
    last = start + count - 1
    more = f"; --page {page + 1} shows more" if last < total else ""
    return f"jobs {start} to {last} of {total}{more}"

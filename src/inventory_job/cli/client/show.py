"""`inventory-job show`: one job with its duration, tasks and state."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from inventory_job.cli.client import options
from inventory_job.cli.client.calls import JOB_FIELDS, JobClient
from inventory_job.cli.client.cells import encodable, short_cell
from inventory_job.cli.client.durations import RUNNING, duration, in_words
from inventory_job.cli.client.output import Answer, Format, terminal, write
from inventory_job.cli.client.periods import now
from inventory_job.cli.client.session import connected
from inventory_job.cli.client.stuck import MEANINGS, UsualDurations, flags
from inventory_job.cli.client.tables import STATUS_STYLES, bare_table
from inventory_job.cli.client.tasks import tasks_of

_BAR_WIDTH = 24


@connected
def show(
    client: JobClient,
    job_id: Annotated[str, typer.Argument(help="The job's id.")],
    output: options.Output = Format.TABLE,
) -> None:
    """Show a job whole: its fields, how long it took, its tasks as a bar, whether it is stuck."""
    answer = client.call("get", {"job_id": job_id})
    job = {name: answer[name] for name in JOB_FIELDS}
    usual = UsualDurations(client).of([job["plugin_id"]]) if job["status"] == RUNNING else {}
    time = now()
    whole = job | derived(job, flags(job, usual, time), time)
    console = terminal()
    if output is Format.TABLE and console.is_terminal:
        draw(whole, console)
    elif output is Format.TABLE:
        rows = [{"field": name, "value": value} for name, value in _lines(whole).items()]
        write(Answer(whole, rows, ("field", "value")), output)
    else:
        write(Answer(whole, [whole], [*whole]), output)


def derived(job: dict[str, Any], found: list[str], time: datetime) -> dict[str, Any]:
    """Values computed from a job's fields: `duration_seconds`, None if unknown, until `time` for a
    running job; and `flags`, which are `found`."""
    taken = duration(job, time)
    return {
        "duration_seconds": None if taken is None else round(taken.total_seconds(), 3),
        "flags": found,
    }


def draw(whole: dict[str, Any], console: Console) -> None:
    """Prints a job and its derived values, one per line, no wider than the console."""
    encoding = console.encoding
    made = bare_table()
    made.add_column("field", no_wrap=True)
    made.add_column("value", overflow="fold")
    for name, value in _lines(whole).items():
        shown = Text(encodable(short_cell(value), encoding), style=STATUS_STYLES.get(value, ""))
        if name == "tasks":
            bar = tasks_of(whole).bar(_BAR_WIDTH, ascii_only=console.options.ascii_only)
            shown = Text.assemble(bar, "  " if bar else "", shown)
        elif name == "stuck":
            shown.stylize("bold red")
        made.add_row(name, shown)
    console.print(made)


def _lines(whole: dict[str, Any]) -> dict[str, Any]:
    """The lines of the table in order: the most important values, then the other fields."""
    seconds = whole["duration_seconds"]
    first = {
        "job_id": whole["job_id"],
        "status": whole["status"],
        "stuck": "; ".join(MEANINGS[flag] for flag in whole["flags"]),
        "duration": "" if seconds is None else in_words(timedelta(seconds=seconds)),
        "tasks": tasks_of(whole).in_words(),
    }
    if whole["status"] == RUNNING and first["duration"]:
        first["duration"] += " so far"
    if not first["stuck"]:
        del first["stuck"]
    rest = {name: whole[name] for name in JOB_FIELDS}
    return first | {name: value for name, value in rest.items() if name not in first}

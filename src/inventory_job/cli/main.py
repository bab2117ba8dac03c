"""The console script: a typer app with one module per command, imported when that is called."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from inventory_job import __version__
from inventory_job.cli.flags import Command, Group
from inventory_job.cli.standard_output import guarded_output

_SERVER = "Server"
_CLIENT = "Client"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: `target` is its function, or a typer app with subcommands (`module:name`). `help`
    repeats the first sentence of its help, so that listing the commands imports none of them."""

    name: str
    target: str
    panel: str
    help: str

    def load(self) -> Any:
        """Imports the module and returns the command that typer builds from it."""
        target = pkgutil.resolve_name(f"inventory_job.cli.{self.target}")
        if isinstance(target, typer.Typer):
            return typer.main.get_command(target)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(self.name, cls=Command)(target)
        return typer.main.get_command(alone)


ENTRIES = (
    Entry(
        "serve",
        "serve:serve",
        _SERVER,
        "Serve until SIGTERM or SIGINT; running calls then have the grace period to finish.",
    ),
    Entry(
        "seed",
        "seed:seed",
        _SERVER,
        "Load demo data: a year of jobs with their tasks, and the API page's sample jobs.",
    ),
    Entry(
        "health",
        "health:health",
        _SERVER,
        "Exit with 0 when the server is serving, else with 1 and the reason.",
    ),
    Entry("token", "token:app", _SERVER, "Keys and tokens for development and tests."),
    Entry("get", "client.jobs:get", _CLIENT, "Show a job as the server answers."),
    Entry(
        "show",
        "client.show:show",
        _CLIENT,
        "Show a job whole: its fields, how long it took, its tasks as a bar, whether it is stuck.",
    ),
    Entry("list", "client.jobs:list_jobs", _CLIENT, "List jobs, the newest first unless sorted."),
    Entry(
        "stat",
        "client.statistics:stat",
        _CLIENT,
        "Count jobs and add up their numbers, by fields and periods.",
    ),
    Entry(
        "analyze",
        "client.statistics:analyze",
        _CLIENT,
        "Count jobs and add up their numbers, by fields, folded if need be.",
    ),
    Entry(
        "delete",
        "client.jobs:delete",
        _CLIENT,
        "Delete jobs and their tasks, after asking; the first that fails ends it.",
    ),
    Entry(
        "top",
        "client.top:top",
        _CLIENT,
        "Watch the running jobs until q or Ctrl-C; print them once when not on a terminal.",
    ),
    Entry(
        "open",
        "client.page:open_page",
        _CLIENT,
        "Open the page with the jobs that filters select, or with one job; print its address.",
    ),
    Entry(
        "chart",
        "client.chart:chart",
        _CLIENT,
        "Draw how many jobs there were, by period; print the numbers when not on a terminal.",
    ),
)
"""All commands, in the order in which the help lists them."""


class Commands(Group):
    """A group that lists its commands by name and imports only the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        for entry in ENTRIES:
            if entry.name == name:
                command = entry.load()
        return name, command, rest


app = typer.Typer(
    name="inventory-job",
    cls=Commands,
    help="The Job service of the Cloudforet inventory, spaceone.api.inventory.v1.Job.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _listed() -> None:
    """Stands for a command until it is called."""


for _entry in ENTRIES:
    app.command(_entry.name, help=_entry.help, rich_help_panel=_entry.panel)(_listed)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The Job service of the Cloudforet inventory, spaceone.api.inventory.v1.Job."""


def main() -> None:
    """Runs the command line and exits with the command's status."""
    with guarded_output():
        app()

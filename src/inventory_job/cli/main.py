"""The console script: one typer app, a module for each command."""

from __future__ import annotations

from typing import Annotated

import typer

from inventory_job import __version__
from inventory_job.cli.health import health
from inventory_job.cli.seed import seed
from inventory_job.cli.serve import serve
from inventory_job.cli.token import app as token

app = typer.Typer(
    name="inventory-job",
    help="The Job service of the Cloudforet inventory, spaceone.api.inventory.v1.Job.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(seed)
app.command()(health)
app.add_typer(token)


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
    """Runs the command line; exits with its status."""
    app()

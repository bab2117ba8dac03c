"""From options to settings, the same way for every command."""

from __future__ import annotations

from typing import Any

import typer
from pydantic import ValidationError

from inventory_job.settings import Settings

_WRONG_USAGE = 2


def read_settings(**given: Any) -> Settings:
    """Settings from options, those that are None left to the environment; exits with 2 and
    every problem, secrets left out, when they are wrong."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"])
            typer.echo(f"inventory-job: setting {name}: {problem['msg']}", err=True)
        raise typer.Exit(_WRONG_USAGE) from error

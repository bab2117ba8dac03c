"""Makes settings from command-line options, in the same way for every command."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from inventory_job.query.limits import Limits
from inventory_job.settings import Settings

_WRONG_USAGE = 2
_PREFIX = "INVENTORY_JOB_"
_NEARLY = 0.8
# Variables that Kubernetes sets for a Service of this name.
_SERVICE = re.compile("(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_[0-9]+_.+)")
_PASSWORD = re.compile("password=|aws_session_token", re.IGNORECASE)


def read_settings(**given: Any) -> Settings:
    """Returns the settings: options that are not None, and the environment for the others. If any
    are invalid, exits with 2 and prints every problem, without secrets.

    Refuses a password in an option, as every user of the machine can see it in the process list,
    and an environment variable whose name is almost that of a setting.
    """
    options = {name: value for name, value in given.items() if value is not None}
    if has_password(options.get("mongo_uri", "")):
        _end(
            "--mongo-uri takes no password, because every user of this machine sees it in the "
            "process list; set INVENTORY_JOB_MONGO_URI instead."
        )
    if wrong := misspelt(os.environ):
        _end("; ".join(f"{name} is no setting, {nearest} is" for name, nearest in wrong.items()))
    try:
        return Settings(**options)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"])
            reason = problem["msg"].removeprefix("Value error, ")
            typer.echo(f"inventory-job: setting {name}: {reason}", err=True)
        raise typer.Exit(_WRONG_USAGE) from error
    except (SettingsError, RecursionError):
        # The only setting that pydantic parses as JSON before validation.
        _end(
            'setting limits: INVENTORY_JOB_LIMITS is no JSON object, as {"stages": 10} is; '
            "INVENTORY_JOB_LIMITS__STAGES=10 sets one limit alone"
        )


def has_password(uri: str) -> bool:
    """Whether a MongoDB connection string, valid or not, contains a secret."""
    rest, _, options = uri.split("://", 1)[-1].partition("?")
    return ":" in rest.rpartition("@")[0] or bool(_PASSWORD.search(options))


def misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables with almost the name of a setting's variable, each with the correct name."""
    settings = [name.upper() for name in Settings.model_fields]
    known = [*settings, *(f"LIMITS__{name.upper()}" for name in Limits.model_fields)]
    found = {}
    for variable in environment:
        name = variable.upper().removeprefix(_PREFIX)
        if not variable.upper().startswith(_PREFIX) or name in known or _SERVICE.fullmatch(name):
            continue
        for nearest in get_close_matches(name, known, n=1, cutoff=_NEARLY):
            found[variable] = f"{_PREFIX}{nearest}"
    return found


def _end(reason: str) -> NoReturn:
    typer.echo(f"inventory-job: {reason}", err=True)
    raise typer.Exit(_WRONG_USAGE)

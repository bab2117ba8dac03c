"""What all commands that call a server have in common: connection and error handling."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec

import typer

from inventory_job.cli.client.calls import CallFailed, Connection, ExitCode, JobClient
from inventory_job.cli.client.cells import visible
from inventory_job.cli.client.connection import connect
from inventory_job.cli.client.doubts import doubts

_P = ParamSpec("_P")


def configured(command: Callable[Concatenate[Connection, _P], None]) -> Callable[..., None]:
    """Decorates a command: replaces its first parameter, the connection, with the options of a
    connection. A failed call prints the server's error and exits with an ExitCode."""
    own = [*inspect.signature(command, eval_str=True).parameters.values()][1:]
    shared = [*inspect.signature(connect, eval_str=True).parameters.values()]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        with _ended_well():
            connection = connect(**{option.name: given.pop(option.name) for option in shared})
            invoke: Callable[..., None] = command
            invoke(connection, **given)

    parameters = [option.replace(kind=option.KEYWORD_ONLY) for option in (*own, *shared)]
    run.__annotations__ = {option.name: option.annotation for option in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run


def connected(command: Callable[Concatenate[JobClient, _P], None]) -> Callable[..., None]:
    """Like `configured`, but passes a JobClient as the first parameter."""

    @functools.wraps(command)
    def run(connection: Connection, **given: Any) -> None:
        with connection.open() as client:
            invoke: Callable[..., None] = command
            invoke(client, **given)

    adapted: Callable[..., None] = run
    return configured(adapted)


@contextmanager
def _ended_well() -> Iterator[None]:
    try:
        yield
    except CallFailed as failure:
        for line in failure_lines(failure):
            typer.echo(line, err=True)
        raise typer.Exit(failure.exit_code) from failure
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from interrupt


def warn(method: str, request: Mapping[str, Any]) -> None:
    """Prints likely mistakes in an answered request to standard error."""
    for doubt in doubts(method, request):
        typer.echo(f"inventory-job: warning: {visible(doubt)}", err=True)


def failure_lines(failure: CallFailed) -> list[str]:
    """The lines to print for a failed call: its message, and its field violations."""
    lines = [f"inventory-job: {visible(failure.message)}"]
    for path, description in failure.violations:
        # A single violation often repeats the message.
        if len(failure.violations) > 1 or description != failure.message:
            lines.append(f"  {visible(path)}: {visible(description)}")
    return lines

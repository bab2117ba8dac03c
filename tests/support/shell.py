"""The console script, run in this process against a server that may be in it as well."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from inventory_job.cli.main import app


class Shell:
    """Runs commands; a server's address and the environment are those given."""

    def __init__(self, address: str = "", **environment: str) -> None:
        self.environment = {"INVENTORY_JOB_ENDPOINT": address} | environment

    def __call__(self, *arguments: str | Path, typed: str | None = None) -> Result:
        """What a command writes and how it ends; `typed` is its standard input."""
        # A server in this process would log to where the command writes.
        with capture_logs():
            return CliRunner().invoke(
                app, [*map(str, arguments)], env=self.environment, input=typed
            )

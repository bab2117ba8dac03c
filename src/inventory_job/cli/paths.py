"""Paths as people write them: `~` is the home directory, also where no shell has replaced it."""

from __future__ import annotations

from pathlib import Path

import typer


def expanded(path: Path | None) -> Path | None:
    """`path` with a leading `~` or `~user` replaced, as the callback of an option; raises
    typer.BadParameter for a user that there is not."""
    try:
        return path and path.expanduser()
    except RuntimeError as error:
        raise typer.BadParameter(f"{path}: {error}") from error

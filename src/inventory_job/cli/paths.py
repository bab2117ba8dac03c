"""Paths as users write them: expands `~` where no shell has done so."""

from __future__ import annotations

from pathlib import Path

import typer


def expanded(path: Path | None) -> Path | None:
    """Expands a leading `~` or `~user`; a callback of path options. Raises typer.BadParameter
    for an unknown user."""
    try:
        return path and path.expanduser()
    except RuntimeError as error:
        raise typer.BadParameter(f"{path}: {error}") from error

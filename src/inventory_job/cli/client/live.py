"""A view of the server's answers that fills the terminal and follows them until q or Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from inventory_job.cli.client.calls import CallFailed, ExitCode
from inventory_job.cli.client.cells import encodable, visible
from inventory_job.cli.client.keyboard import QUIT, Keyboard, keyboard
from inventory_job.cli.client.tables import overflow


class View(Protocol):
    """What is shown, how it is requested, and which keys change it."""

    def fetch(self) -> None:
        """Asks the server anew; raises CallFailed, and stays as it was then."""

    def press(self, key: str) -> bool:
        """Does what a key of keyboard.Keyboard means here; whether that takes a new request."""

    def shown(self) -> Sequence[RenderableType]:
        """What it looks like: a title of one line, and what is below it."""


def follow(view: View, console: Console, interval: float) -> None:
    """Shows `view`, which has been fetched once, and fetches it again every `interval` seconds,
    until q or Ctrl-C. While the server is not available, says so below its title.
    Raises CallFailed for other failures."""
    try:
        with (
            keyboard() as keys,
            Live(console=console, screen=True, auto_refresh=False) as live,
        ):
            problem = ""
            while True:
                title, *rest = view.shown()
                live.update(
                    Group(title, *_as_lines(problem, console.encoding), *rest), refresh=True
                )
                if _ended(view, keys, interval):
                    return
                problem = _fetched(view)
    except KeyboardInterrupt:
        return


def _ended(view: View, keys: Keyboard, interval: float) -> bool:
    """Waits for as long as what is shown stays as it is; whether that was the end."""
    end = time.monotonic() + interval
    changed = False
    # Keys that are held down are taken together.
    while key := keys.wait(0 if changed else max(end - time.monotonic(), 0)):
        if key == QUIT:
            return True
        changed = view.press(key) or changed
    return False


def _fetched(view: View) -> str:
    """Fetches; why it failed, if the server was not available."""
    try:
        view.fetch()
    except CallFailed as failure:
        # A server that restarts comes back; other failures stay.
        if failure.exit_code is not ExitCode.UNAVAILABLE:
            raise
        return failure.message
    return ""


def _as_lines(problem: str, encoding: str) -> list[Text]:
    if not problem:
        return []
    line = Text(encodable(visible(problem), encoding), style="bold red", no_wrap=True)
    line.overflow = overflow(encoding)
    return [line]

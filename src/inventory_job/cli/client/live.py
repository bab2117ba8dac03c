"""A full-screen view of the server's responses, refreshed until q or Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live

from inventory_job.cli.client.calls import CallFailed, ExitCode
from inventory_job.cli.client.cells import encodable, visible
from inventory_job.cli.client.keyboard import QUIT, Keyboard, keyboard
from inventory_job.cli.client.tables import one_line


class View(Protocol):
    """What `follow` shows: how it is requested, drawn and changed by keys."""

    def fetch(self) -> None:
        """Requests the data again; raises CallFailed, which leaves the view unchanged."""

    def press(self, key: str) -> bool:
        """Handles a key from keyboard.Keyboard; returns whether `fetch` must be called again."""

    def shown(self) -> Sequence[RenderableType]:
        """The view's title, one line, and the parts below it."""


def follow(view: View, console: Console, interval: float) -> None:
    """Shows `view`, which was fetched before, and fetches it again every `interval` seconds, until
    q or Ctrl-C. While the server is unavailable, shows the error below the title. Raises
    CallFailed for other failures."""
    try:
        with (
            keyboard() as keys,
            Live(console=console, screen=True, auto_refresh=False) as live,
        ):
            problem = ""
            while True:
                title, *rest = view.shown()
                if problem:
                    said = encodable(problem, console.encoding)
                    rest.insert(0, one_line((said, "bold red"), encoding=console.encoding))
                live.update(Group(title, *rest), refresh=True)
                if _ended(view, keys, interval):
                    return
                problem = _fetched(view)
    except KeyboardInterrupt:
        return


def _ended(view: View, keys: Keyboard, interval: float) -> bool:
    """Waits until the view must be fetched again; returns True for QUIT."""
    end = time.monotonic() + interval
    changed = False
    # Handles all pending keys, as of a key held down, before the next fetch.
    while key := keys.wait(0 if changed else max(end - time.monotonic(), 0)):
        if key == QUIT:
            return True
        changed = view.press(key) or changed
    return False


def _fetched(view: View) -> str:
    """Fetches the view. Returns the error if the server is unavailable, else an empty string."""
    try:
        view.fetch()
    except CallFailed as failure:
        # An unavailable server may be restarting; other failures are permanent.
        if failure.exit_code is not ExitCode.UNAVAILABLE:
            raise
        return visible(failure.message)
    return ""

"""The console script in a pseudo-terminal, with a screen that shows what a person would see."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyte

from tests.cases.cli_jobs import DOMAIN
from tests.support.running import ServerThread

Screen = list[str]
"""The lines on the screen, without the blanks at their ends."""


class Terminal:
    """A running command and its screen."""

    def __init__(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], width: int, height: int
    ) -> None:
        self._screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self._screen)
        self._end, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (height, width))
        ours = {name: value for name, value in os.environ.items() if name not in _SIZES}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inventory_job", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=ours | {"TERM": "xterm-256color"} | dict(environment),
            start_new_session=True,
        )
        os.close(terminal)
        self.output = b""
        """All that was written, as it was."""

    def lines(self) -> Screen:
        """The screen as it is, but for empty lines at its end."""
        lines = [line.rstrip() for line in self._screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def wait_for(self, seen: Callable[[Screen], bool], seconds: float = 20.0) -> Screen:
        """The screen as soon as it is as it should be."""
        end = time.monotonic() + seconds
        while not seen(self.lines()):
            if time.monotonic() > end or not self._read(end - time.monotonic()):
                raise AssertionError("it never looked like that:\n" + "\n".join(self.lines()))
        return self.lines()

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self._end, keys.encode())

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def is_cooked(self) -> bool:
        """Whether the terminal shows and edits what is typed, as shells expect it to."""
        flags = termios.tcgetattr(self._end)[3]
        return bool(flags & termios.ECHO and flags & termios.ICANON)

    def finish(self, seconds: float = 20.0) -> int:
        """The exit status, when all output has been read."""
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        return self.process.wait(max(end - time.monotonic(), 0.1))

    def close(self) -> None:
        """Ends the command if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._end)

    def _read(self, seconds: float) -> bool:
        """Takes in what was written; whether there may be more."""
        ready, _, _ = select.select([self._end], [], [], max(seconds, 0))
        try:
            written = os.read(self._end, 65536) if ready else b""
        except OSError:  # Linux's way to say that the other end is closed
            written = b""
        self.output += written
        self._stream.feed(written)
        return bool(written)


_SIZES = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}


@contextmanager
def terminal(
    *arguments: str, environment: Mapping[str, str], width: int = 100, height: int = 24
) -> Iterator[Terminal]:
    """`inventory-job` with these arguments, in a terminal of this size."""
    opened = Terminal(arguments, environment, width, height)
    try:
        yield opened
    finally:
        opened.close()


def run(
    server: ServerThread, *arguments: str, environment: dict[str, str] | None = None, **size: int
) -> AbstractContextManager[Terminal]:
    """A command about the jobs of `cases.cli_jobs`, in a terminal."""
    target = {"INVENTORY_JOB_ENDPOINT": server.address, "INVENTORY_JOB_DOMAIN": DOMAIN}
    return terminal(*arguments, environment=target | (environment or {}), **size)


def shown(server: ServerThread, *arguments: str, **options: Any) -> Screen:
    """The screen when the command has ended."""
    with run(server, *arguments, **options) as opened:
        assert opened.finish() == 0
        return opened.lines()

"""Keys pressed while a command shows something, without an Enter after them."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QuitPressed = Callable[[float], bool]
"""Waits this many seconds, or until q is pressed; whether it was."""


@contextmanager
def quit_key() -> Iterator[QuitPressed]:
    """The keyboard, if standard input is one, key by key; as it was afterwards. Ctrl-C stays a
    KeyboardInterrupt."""
    if not sys.stdin.isatty():
        yield _wait
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield lambda seconds: _pressed(descriptor, seconds)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _pressed(descriptor: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([descriptor], [], [], left)
        if ready:
            keys = os.read(descriptor, 64)
            if not keys or keys.lower().startswith(b"q"):
                return True
    return False

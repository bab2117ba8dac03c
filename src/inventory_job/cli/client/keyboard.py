"""Keys pressed while a command shows something, without an Enter after them."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

QuitPressed = Callable[[float], bool]
"""Waits this many seconds, or until q or Ctrl-C is pressed; whether it was."""


@contextmanager
def quit_key() -> Iterator[QuitPressed]:
    """The keyboard, if standard input is one, key by key; as it was afterwards.

    Ctrl-C stays a KeyboardInterrupt, and is remembered: one that is raised where nothing can be
    raised, as within a callback of a library, is lost.
    """
    with _interrupts() as was_interrupted:
        if not sys.stdin.isatty():
            yield partial(_wait, was_interrupted)
            return
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor)
        try:
            yield partial(_pressed, descriptor, was_interrupted)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Whether there has been a Ctrl-C since."""
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _wait(was_interrupted: Callable[[], bool], seconds: float) -> bool:
    if not was_interrupted():
        time.sleep(seconds)
    return was_interrupted()


def _pressed(descriptor: int, was_interrupted: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not was_interrupted() and (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([descriptor], [], [], left)
        if ready:
            keys = os.read(descriptor, 64)
            if not keys or keys.lower().startswith(b"q"):
                return True
    return was_interrupted()

"""Reads single key presses, without Enter, while a command shows a view."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import time
import tty
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

QUIT = "quit"
"""The key for q, Ctrl-C and the end of standard input."""

_NAMES: Mapping[bytes, str] = MappingProxyType(
    {
        b"q": QUIT,
        b"Q": QUIT,
        **dict.fromkeys((b"\x1b[A", b"\x1bOA", b"k"), "up"),
        **dict.fromkeys((b"\x1b[B", b"\x1bOB", b"j"), "down"),
        **dict.fromkeys((b"\x1b[5~", b"b"), "page up"),
        **dict.fromkeys((b"\x1b[6~", b" "), "page down"),
        **dict.fromkeys((b"\x1b[H", b"\x1bOH", b"\x1b[1~", b"g"), "home"),
        **dict.fromkeys((b"\x1b[F", b"\x1bOF", b"\x1b[4~", b"G"), "end"),
    }
)
_KEY = re.compile(rb"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)


class Keyboard:
    """Key presses in order; `descriptor` is that of a terminal, None without one."""

    def __init__(self, descriptor: int | None, was_interrupted: Callable[[], bool]) -> None:
        self._descriptor = descriptor
        self._was_interrupted = was_interrupted
        self._pressed: deque[str] = deque()

    def wait(self, seconds: float) -> str:
        """Waits up to `seconds` for the next key and returns it: QUIT, a name such as `up` or
        `page down`, or its character; empty if there is none."""
        end = time.monotonic() + seconds
        while not self._was_interrupted() and not self._pressed:
            self._read(max(end - time.monotonic(), 0))
            if time.monotonic() >= end:
                break
        if self._was_interrupted():
            return QUIT
        return self._pressed.popleft() if self._pressed else ""

    def _read(self, seconds: float) -> None:
        if self._descriptor is None:
            time.sleep(seconds)
            return
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if ready:
            keys = os.read(self._descriptor, 64) or b"q"
            self._pressed.extend(
                _NAMES.get(key, key.decode("ascii", "replace")) for key in _KEY.findall(keys)
            )


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Reads keys one by one if standard input is a terminal, and restores its mode afterwards.

    Ctrl-C still raises KeyboardInterrupt, and is also recorded, as an exception raised within a
    library's callback, for instance, is lost.
    """
    with _interrupts() as was_interrupted:
        if not sys.stdin.isatty():
            yield Keyboard(None, was_interrupted)
            return
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor)
        try:
            yield Keyboard(descriptor, was_interrupted)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether Ctrl-C was pressed within the context."""
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

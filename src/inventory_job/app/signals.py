"""Signals: as something that can be waited for, and those that choose what is logged."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog

from inventory_job.observability.logging import show_from


class CaughtSignals:
    """From now on catches `numbers`, for whoever waits; those held back until now come as well.

    The numbers come through a socket, since a signal that reaches another thread does not
    interrupt the one that waits. To be made in the main thread.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._waiting, self._noting = socket.socketpair()
        self._noting.setblocking(False)
        signal.set_wakeup_fd(self._noting.fileno(), warn_on_full_buffer=False)
        caught = tuple(numbers)
        for number in caught:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)

    def fileno(self) -> int:
        """What becomes readable with a signal."""
        return self._waiting.fileno()

    def next(self) -> signal.Signals:
        """Waits for the next one."""
        return signal.Signals(self._waiting.recv(1)[0])


def log_signals() -> frozenset[signal.Signals]:
    """Those that choose what is logged: SIGUSR1 also entries of the level debug, SIGUSR2 again
    what the settings say. Either may be sent twice."""
    return frozenset({signal.SIGUSR1, signal.SIGUSR2})


def obey_log_signal(number: signal.Signals, level: str) -> None:
    """Does what one of `log_signals` asks for; `level` is that of the settings. Says so, at a
    level that is shown before or after."""
    log = structlog.get_logger(__name__)
    show_from("debug")
    if number == signal.SIGUSR1:
        log.info("log level changed", log_level="debug")
    else:
        log.info("log level changed", log_level=level)
        show_from(level)


@contextmanager
def held_back(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Processes started within have these signals wait until they catch them: one that comes
    before would end them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

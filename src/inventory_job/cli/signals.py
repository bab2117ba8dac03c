"""Signals, as something that can be waited for."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterable


class CaughtSignals:
    """From now on catches `numbers`, for whoever waits.

    The numbers come through a socket, since a signal that reaches another thread does not
    interrupt the one that waits. To be made in the main thread.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._waiting, self._noting = socket.socketpair()
        self._noting.setblocking(False)
        signal.set_wakeup_fd(self._noting.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def fileno(self) -> int:
        """What becomes readable with a signal."""
        return self._waiting.fileno()

    def next(self) -> signal.Signals:
        """Waits for the next one."""
        return signal.Signals(self._waiting.recv(1)[0])

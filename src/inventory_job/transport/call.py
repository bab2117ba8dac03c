"""What a servicer is told of a call, whichever way it came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

_NEAR_SECONDS = 0.05


class CallContext:
    """One call: its metadata, its deadline, and who wants to know when it is over.

    `end` may be called from any thread, and more than once.
    """

    def __init__(
        self, metadata: Iterable[tuple[str, str | bytes]], seconds: float | None = None
    ) -> None:
        self._metadata = tuple(metadata)
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._due: float | None = None
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._is_over = False
        self.is_abandoned = False
        """Whether the client went before the end."""

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """The metadata, keys in lower case."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self._ends is None else max(self._ends - time.monotonic(), 0.0)

    @property
    def has_run_out(self) -> bool:
        """Whether the deadline is over, or so near that a client who gives up then is heard of
        before."""
        remaining = self.time_remaining()
        return remaining is not None and remaining <= _NEAR_SECONDS

    def due(self, seconds: float) -> float:
        """When the work for the call is to be done, on the clock of time.monotonic(): `seconds`
        from when that was asked first, however often it is begun."""
        if self._due is None:
            self._due = time.monotonic() + seconds
        return self._due

    def add_callback(self, callback: Callable[[], None], /) -> bool:
        """Has `callback` called at the end; False when the call is over already."""
        with self._lock:
            if self._is_over:
                return False
            self._callbacks.append(callback)
            return True

    def abandon(self) -> None:
        """The client has gone: nobody waits for the answer."""
        self.is_abandoned = True
        self.end()

    def end(self) -> None:
        """The call is over, however it ended: tells those who wanted to know."""
        with self._lock:
            self._is_over = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

"""A remote directory at a time of the test's, with the look-ups under test before it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from inventory_job.auth.lookups import LookupLimits, Lookups, Waiters
from inventory_job.errors import Unavailable


class Directory:
    """A remote directory at a time of the test's; remembers what it was asked."""

    def __init__(
        self, limits: LookupLimits | None = None, waiters: Waiters | None = None, **answers: str
    ) -> None:
        self.now = 1000.0
        self.answers = answers
        self.asked: list[str] = []
        self.is_down = False
        self.meanwhile: Callable[[], None] = lambda: None
        self.lookups = Lookups(
            self._fetch, limits or LookupLimits(), lambda: self.now, waiters or Waiters(6)
        )

    def _fetch(self, key: str) -> str | None:
        self.asked.append(key)
        self.meanwhile()
        if self.is_down:
            raise Unavailable("the identity service cannot be reached")
        return self.answers.get(key)

    def find(self, key: str) -> str | None:
        return self.lookups.find(key)

    def admits(self, key: str, fitting: str = "none") -> bool | None:
        """Whether a token that fits only this answer comes in; None: it cannot be told now."""
        since = self.now
        try:
            value = self.find(key)
            while value != fitting:
                newer = self.lookups.find_newer(key, since, value)
                if newer == value:
                    return False
                value = newer
        except Unavailable:
            return None
        return True

    def drain(self) -> None:
        """Has strangers ask until they may not any more."""
        number = 0
        while not self.is_refused(f"stranger {self.now} {number}"):
            number += 1

    def rest(self) -> None:
        """Waits for the calls that nobody waits for."""
        deadline = time.monotonic() + 10
        while self.lookups._running:
            assert time.monotonic() < deadline

    def is_refused(self, key: str) -> bool:
        try:
            self.lookups.find(key)
        except Unavailable:
            return True
        return False


class Gate:
    """Holds calls to a directory until it is opened."""

    def __init__(self, directory: Directory) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        directory.meanwhile = self.pass_through

    def pass_through(self) -> None:
        self.entered.release()
        assert self.opened.wait(10)

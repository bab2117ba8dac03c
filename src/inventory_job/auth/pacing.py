"""How often something may be tried: a token bucket, and pauses that grow while it fails.

Neither is thread-safe by itself. Clocks are monotonic, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable

Clock = Callable[[], float]


class TokenBucket:
    """Lets `burst` through at once and `per_second` on."""

    __slots__ = ("_burst", "_clock", "_filled_at", "_left", "_per_second")

    def __init__(self, clock: Clock, burst: int, per_second: float) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._left = float(burst)
        self._filled_at = clock()

    def has_one(self) -> bool:
        """Whether one more may pass now."""
        now = self._clock()
        gained = (now - self._filled_at) * self._per_second
        self._left = min(self._left + gained, float(self._burst))
        self._filled_at = now
        return self._left >= 1

    def take(self) -> bool:
        """As `has_one`; if so, it passes."""
        if not self.has_one():
            return False
        self._left -= 1
        return True


class BackOff:
    """Pauses between attempts at something that fails: `first` seconds, doubled up to `longest`.

    While it fails one attempt at a time is made, the probe. Attempts are numbered.
    """

    def __init__(self, clock: Clock, first: float = 0.5, longest: float = 10.0) -> None:
        self._clock = clock
        self._first = first
        self._longest = longest
        self._pause = 0.0
        self._until = 0.0
        self._attempts = 0
        self._probe = 0

    def is_time(self) -> bool:
        """Whether an attempt may be made now."""
        return not self._pause or (not self._probe and self._clock() >= self._until)

    def begin(self) -> int:
        """Before an attempt; its number."""
        self._attempts += 1
        if self._pause:
            self._probe = self._attempts
        return self._attempts

    def succeeded(self) -> None:
        """After an attempt that worked."""
        self._pause, self._probe = 0.0, 0

    def failed(self, attempt: int) -> None:
        """After an attempt that did not. Those under way when the first failed count once, and
        say nothing about the probe."""
        if not self._pause:
            self._pause = self._first
        elif attempt == self._probe:
            self._pause = min(self._pause * 2, self._longest)
        else:
            return
        self._until, self._probe = self._clock() + self._pause, 0

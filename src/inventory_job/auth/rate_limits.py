"""A token bucket, exponential back-off, and a dictionary of bounded size.

Clocks are monotonic and count seconds.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

Clock = Callable[[], float]

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class TokenBucket:
    """A token bucket that starts full with `burst` tokens and gains `per_second`."""

    __slots__ = ("_burst", "_clock", "_filled_at", "_left", "_per_second")

    def __init__(self, clock: Clock, burst: int, per_second: float) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._left = float(burst)
        self._filled_at = clock()

    def has_one(self) -> bool:
        """Whether a token is available."""
        now = self._clock()
        gained = (now - self._filled_at) * self._per_second
        self._left = min(self._left + gained, float(self._burst))
        self._filled_at = now
        return self._left >= 1

    def take(self) -> bool:
        """Takes a token if one is available, and returns whether it did."""
        if not self.has_one():
            return False
        self._left -= 1
        return True


class BackOff:
    """Exponential back-off: pauses between failing attempts, half a second, doubled up to ten.

    During an outage, an attempt that begins also starts the next pause, which holds others back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pause = 0.0
        self._until = -math.inf
        self._succeeded_at = -math.inf

    def is_time(self) -> bool:
        """Whether an attempt may begin now."""
        return not self._pause or self._clock() >= self._until

    def begin(self) -> None:
        """Records that an attempt begins now."""
        if self._pause:
            self._wait(min(self._pause * 2, _LONGEST_PAUSE))

    def succeeded(self) -> None:
        """Ends the outage, if there was one."""
        self._pause = 0.0
        self._succeeded_at = self._clock()

    def failed(self, began: float) -> None:
        """Begins an outage, after the failure of an attempt that began at `began`. An attempt from
        before the last success belongs to an earlier outage, and one during an outage to that."""
        if not self._pause and began >= self._succeeded_at:
            self._wait(_FIRST_PAUSE)

    def _wait(self, pause: float) -> None:
        self._pause = pause
        self._until = self._clock() + pause


class BoundedDict(OrderedDict[_Key, _Value]):
    """A dictionary of at most `most` entries; evicts the entry that was set longest ago."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: _Key, value: _Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)

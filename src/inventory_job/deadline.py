"""The time by which a call has to be answered."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

from inventory_job.errors import RequestTimeout


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the clock of time.monotonic()."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """The moment so many seconds from now."""
        return cls(time.monotonic() + seconds)

    def or_before(self, other: Self | None) -> Self:
        """The earlier of the two; None is never."""
        return self if other is None or self.at <= other.at else other

    def seconds(self) -> float:
        """The seconds left; raises RequestTimeout when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise RequestTimeout
        return left

    def milliseconds(self) -> int:
        """The milliseconds left, at least one, as MongoDB takes a time limit (`maxTimeMS`); raises
        RequestTimeout when there are none."""
        return milliseconds(self.seconds())


def milliseconds(seconds: float) -> int:
    """As MongoDB takes times: at least one, since zero is no limit."""
    return max(1, round(seconds * 1000))

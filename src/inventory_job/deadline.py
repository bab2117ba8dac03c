"""Deadlines of calls."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

from inventory_job.errors import RequestTimeout


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time by which a call must be answered, on the clock of time.monotonic()."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """The deadline `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def or_before(self, other: Self | None) -> Self:
        """The earlier of the two; None stands for no deadline."""
        return self if other is None or self.at <= other.at else other

    def seconds(self) -> float:
        """The seconds left; raises RequestTimeout if there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise RequestTimeout
        return left

    def milliseconds(self) -> int:
        """The milliseconds left, at least one, for MongoDB's `maxTimeMS`; raises RequestTimeout if
        there are none."""
        return milliseconds(self.seconds())


def milliseconds(seconds: float) -> int:
    """A time limit for MongoDB: at least 1, because 0 means no limit."""
    return max(1, round(seconds * 1000))

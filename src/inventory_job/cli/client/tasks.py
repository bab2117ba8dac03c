"""A job's progress: its tasks by outcome, as numbers and as a bar. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from inventory_job.cli.client.bars import segments

_STYLES = ("green", "bold red", "yellow", "dim")
_FILLINGS = "█▓▒░"
_PLAIN_FILLINGS = "#x-."


@dataclass(frozen=True, slots=True)
class Tasks:
    """A job's tasks by outcome, each at least 0, `total` in sum; `others` are canceled ones."""

    total: int
    succeeded: int
    failed: int
    others: int
    left: int

    @property
    def done(self) -> int:
        """The number of tasks that have ended."""
        return self.total - self.left

    def in_words(self) -> str:
        """`3 of 4 done, 1 failed`; omits outcomes without tasks."""
        parts = ((self.failed, "failed"), (self.others, "neither succeeded nor failed"))
        rest = "".join(f", {number} {what}" for number, what in parts if number)
        return f"{self.done} of {self.total} done{rest}"

    def bar(self, width: int, *, ascii_only: bool) -> Text:
        """A bar of `width` cells: succeeded, failed, other and remaining tasks, each kind with its
        own filling and colour."""
        numbers = (self.succeeded, self.failed, self.others, self.left)
        cells = segments(numbers, self.total, max(width, len(numbers)))
        fillings = _PLAIN_FILLINGS if ascii_only else _FILLINGS
        bar = Text()
        for filling, style, count in zip(fillings, _STYLES, cells, strict=True):
            bar.append(filling * count, style=style)
        return bar


def tasks_of(job: Mapping[str, Any]) -> Tasks:
    """The tasks of a job in a response. Clamps its counters, which racing collectors may leave
    below 0 or above the total."""
    total = max(job["total_tasks"], 0)
    left = min(max(job["remained_tasks"], 0), total)
    failed = min(max(job["failure_tasks"], 0), total - left)
    succeeded = min(max(job["success_tasks"], 0), total - left - failed)
    return Tasks(total, succeeded, failed, total - left - failed - succeeded, left)

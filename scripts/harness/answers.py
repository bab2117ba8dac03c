"""What callers met, as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

OK = "OK"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended, when (monotonic), and after how many seconds."""

    status: str
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Of calls: how many, how many failed, how many ended with each status; and of those that did
    not fail, how many seconds they took."""

    calls: int
    failed: int
    statuses: dict[str, int]
    median: float
    p99: float
    slowest: float


def summary(answers: Sequence[Answer], good: Iterable[str] = (OK,)) -> Summary:
    """The figures of these calls, of which those with a status in `good` did not fail."""
    statuses = Counter(answer.status for answer in answers)
    took = sorted(answer.seconds for answer in answers if answer.status in good)
    return Summary(
        calls=len(answers),
        failed=len(answers) - len(took),
        statuses=dict(sorted(statuses.items())),
        median=percentile(took, 0.5),
        p99=percentile(took, 0.99),
        slowest=percentile(took, 1),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of an ordered list do not pass, to 5 decimals; 0 of an empty one."""
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 5)

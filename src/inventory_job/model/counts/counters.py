"""Numbers of jobs by filter, adjusted to every change that is reported. No I/O.

A number is exact for one point in the history of the set, its time; changes after that are added
to it, earlier ones are in it already. So it does not matter in which order a count's result and
the changes around it become known: what is reported while a count runs is noted, and what came
after the count's time is applied once the count is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import Timestamp

from inventory_job.query.countable import Countable

_BEGINNING = Timestamp(0, 0)
_SEEN_PER_COUNTER = 8
_MOST_ADJUSTMENTS = 50_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the job collection.

    Args:
        kind: as MongoDB's change events call it: insert, update, replace, delete, and others that
            concern the whole collection.
        at: its time in the history of the set.
        job: an inserted job's steady fields.
        touched: the steady fields that an update wrote.
    """

    kind: str
    at: Timestamp
    job: Mapping[str, Any] = field(default_factory=dict)
    touched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CounterStats:
    """How often a number was known (`hits`) or not (`misses`), how many were `dropped` since they
    could not be adjusted, and how many are `kept` now."""

    hits: int
    misses: int
    dropped: int
    kept: int


class Counter:
    """The number of jobs of one filter: being counted, then kept."""

    def __init__(self, jobs: Countable, floor: Timestamp) -> None:
        self.jobs = jobs
        self.fields = jobs.fields
        self.floor = floor
        """A count of an earlier time lacks changes that were reported before."""
        self.total: int | None = None
        self.at = _BEGINNING
        self._noted: list[tuple[Timestamp, int | None]] = []

    def add(self, at: Timestamp, difference: int | None) -> bool:
        """Takes a change of `difference` jobs, None if that is unknown. False: the number is lost.

        While the count runs, that is only told at its end.
        """
        if self.total is None:
            self._noted.append((at, difference))
        elif at > self.at:
            if difference is None:
                return False
            self.total += difference
        return True

    def settle(self, total: int, at: Timestamp) -> bool:
        """Takes the count, of the time `at`. False: the number is known for that time only."""
        self.total, self.at = total, at
        return all(self.add(*noted) for noted in self._noted)


class Counters:
    """At most `most` numbers, those used last. For one event loop.

    A filter's number is kept from the second time on that it is asked for: filters that never
    come again push out none that do.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counters: OrderedDict[Countable, Counter] = OrderedDict()
        self._of_domain: dict[str, dict[Countable, Counter]] = {}
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._floor = _BEGINNING
        self._hits = self._misses = self._dropped = 0

    @property
    def stats(self) -> CounterStats:
        """What has come of it so far."""
        return CounterStats(self._hits, self._misses, self._dropped, len(self._counters))

    def get(self, jobs: Countable) -> int | None:
        """The number of `jobs`, if it is known."""
        counter = self._counters.get(jobs)
        if counter is None or counter.total is None:
            self._misses += 1
            return None
        self._counters.move_to_end(jobs)
        self._hits += 1
        return counter.total

    def begin(self, jobs: Countable) -> Counter | None:
        """Must be called before `jobs` are counted; None when their number is not to be kept.

        What it returns goes to `settle` or `abandon`.
        """
        if jobs in self._counters or not self._comes_again(jobs):
            return None
        counter = Counter(jobs, self._floor)
        self._counters[jobs] = self._of_domain.setdefault(jobs.domain_id, {})[jobs] = counter
        if len(self._counters) > self._most:
            self._remove(next(iter(self._counters.values())))
        return counter

    def settle(self, counter: Counter, total: int, at: Timestamp) -> int | None:
        """Takes the count, exact for the time `at`; the number to show. None when the count is
        older than what has been shown or promised: count otherwise."""
        if at < counter.floor:
            self._remove(counter)
            return None
        if not counter.settle(total, at):
            self._drop(counter)
            return total
        return counter.total

    def abandon(self, counter: Counter) -> None:
        """The count has failed."""
        self._remove(counter)

    def start(self, at: Timestamp) -> None:
        """From now on every change after `at` will be reported, in order."""
        self._clear()
        self._floor = max(self._floor, at)

    def clear(self) -> None:
        """Forgets all numbers."""
        self._clear()

    def apply(self, changes: Sequence[Change]) -> None:
        """Takes the next changes, in order."""
        if len(changes) * len(self._counters) > _MOST_ADJUSTMENTS:
            # Counting again is quicker than that.
            self._clear()
        for change in changes:
            self._apply(change)
            self._floor = max(self._floor, change.at)

    def promise(self, at: Timestamp) -> None:
        """No count of an earlier time than `at` is good any more."""
        self._floor = max(self._floor, at)

    def forget(self, domain_id: str, at: Timestamp | None) -> None:
        """Forgets a domain's numbers, since it was changed by the time `at`."""
        self._floor = max(self._floor, at or _BEGINNING)
        for counter in [*self._of_domain.get(domain_id, {}).values()]:
            self._drop(counter)

    def _apply(self, change: Change) -> None:
        if change.kind == "insert":
            domain_id = change.job.get("domain_id")
            if isinstance(domain_id, str):
                for counter in [*self._of_domain.get(domain_id, {}).values()]:
                    included = counter.jobs.includes(change.job)
                    if included is not False:
                        self._add(counter, change.at, 1 if included else None)
            elif domain_id is not None:
                self._lose(self._counters.values(), change.at)
        elif change.kind == "update":
            self._lose(
                (counter for counter in self._counters.values() if counter.fields & change.touched),
                change.at,
            )
        elif change.kind in {"delete", "replace"}:
            # They do not say what the job was like before, not even whose it was.
            self._lose(self._counters.values(), change.at)
        else:
            self._clear()

    def _lose(self, counters: Iterable[Counter], at: Timestamp) -> None:
        for counter in [*counters]:
            self._add(counter, at, None)

    def _add(self, counter: Counter, at: Timestamp, difference: int | None) -> None:
        if not counter.add(at, difference):
            self._drop(counter)

    def _comes_again(self, jobs: Countable) -> bool:
        mark = hash(jobs)
        if mark in self._seen:
            return True
        self._seen[mark] = None
        if len(self._seen) > self._most * _SEEN_PER_COUNTER:
            self._seen.popitem(last=False)
        return False

    def _clear(self) -> None:
        self._dropped += len(self._counters)
        self._counters.clear()
        self._of_domain.clear()

    def _drop(self, counter: Counter) -> None:
        self._dropped += self._remove(counter)

    def _remove(self, counter: Counter) -> bool:
        if self._counters.get(counter.jobs) is not counter:
            return False
        del self._counters[counter.jobs]
        of_domain = self._of_domain[counter.jobs.domain_id]
        del of_domain[counter.jobs]
        if not of_domain:
            del self._of_domain[counter.jobs.domain_id]
        return True

"""Numbers of jobs by filter, cached and adjusted by every change that is reported. No I/O.

A number is counted by a snapshot read at one cluster time, at or after the last change reported so
far. The count includes the changes up to that time; later changes are added to it. Changes that are
reported while the count runs are buffered, and applied when it ends.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import Timestamp

from inventory_job.query.countable import Countable

_BEGINNING = Timestamp(0, 0)
_SEEN_PER_COUNTER = 8
# In one call of `Counters.apply`; each takes some 1.5 µs.
_MOST_ADJUSTMENTS = 5_000


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the job collection at the cluster time `at`. For an insert, `job` has the steady
    fields of the new job. For any other change it is None: a change stream tells neither the domain
    of the changed jobs nor their former values."""

    at: Timestamp
    job: Mapping[str, Any] | None = None


class Counter:
    """The number of jobs of one filter: first being counted, then cached as `total`."""

    def __init__(self, jobs: Countable, at: Timestamp) -> None:
        self.jobs = jobs
        self.at = at
        """The cluster time of the count. Until it ends: the time of the last change that was
        reported before it began, which it has to include."""
        self.total: int | None = None
        self._buffered: list[Change] = []

    def apply(self, change: Change) -> bool:
        """Applies a change to the number, or buffers it while the count runs.

        Returns False if the change leaves the number unknown.
        """
        if self.total is None:
            self._buffered.append(change)
        elif change.at > self.at:
            included = None if change.job is None else self.jobs.includes(change.job)
            if included is None:
                return False
            self.total += included
        return True

    def settle(self, total: int, at: Timestamp) -> int | None:
        """Ends the count, which found `total` jobs at the cluster time `at`: returns the number
        with the buffered changes applied, None if unknown."""
        self.total, self.at = total, at
        buffered, self._buffered = self._buffered, []
        return self.total if all(map(self.apply, buffered)) else None


class Counters:
    """An LRU cache of at most `most` numbers. For one event loop.

    Only a filter that is requested for the second time is cached, so filters that are requested
    once evict no others.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counters: OrderedDict[Countable, Counter] = OrderedDict()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._next_count_at = _BEGINNING
        self.hits = self.misses = self.dropped = 0
        """Cache hits, cache misses, and numbers dropped for another reason than eviction."""

    @property
    def kept(self) -> int:
        """How many numbers are cached or being counted now."""
        return len(self._counters)

    def get(self, jobs: Countable) -> int | None:
        """The cached number of `jobs`, None on a cache miss."""
        counter = self._counters.get(jobs)
        if counter is None or counter.total is None:
            self.misses += 1
            return None
        self._counters.move_to_end(jobs)
        self.hits += 1
        return counter.total

    def begin(self, jobs: Countable) -> Counter | None:
        """Begins a count of `jobs`; None if their number is not to be cached.

        The caller counts `jobs` at the cluster time `at` of the returned counter or later, and then
        passes the counter to `settle` or `abandon`.
        """
        if jobs in self._counters or not self._is_repeated(jobs):
            return None
        counter = self._counters[jobs] = Counter(jobs, self._next_count_at)
        if len(self._counters) > self._most:
            self._counters.popitem(last=False)
        return counter

    def settle(self, counter: Counter, total: int, at: Timestamp) -> int:
        """Ends a count, which found `total` at the cluster time `at`; returns the number to answer
        with."""
        if (now := counter.settle(total, at)) is None:
            self._drop(counter)
            return total
        return now

    def abandon(self, counter: Counter) -> bool:
        """Removes a counter without a valid number; False if it had been removed before."""
        if self._counters.get(counter.jobs) is not counter:
            return False
        del self._counters[counter.jobs]
        return True

    def clear(self, at: Timestamp | None = None) -> None:
        """Drops all numbers. Counts that begin later include a write of this process if `at` is
        given: the session's operation_time after the write. No number of another domain is dropped
        in vain: the change stream reports a delete without its domain, so it drops them all."""
        self.promise(at or _BEGINNING)
        self.dropped += len(self._counters)
        self._counters.clear()

    def apply(self, changes: Sequence[Change]) -> None:
        """Applies the next changes, in order.

        This blocks the event loop. To take a few milliseconds at most, it first drops the numbers
        of the domains that would take the longest to adjust.
        """
        concerned: defaultdict[str | None, list[Counter]] = defaultdict(list)
        for jobs, counter in self._counters.items():
            concerned[jobs.domain_id].append(counter)
            concerned[None].append(counter)
        costs: Tally[str | None] = Tally()
        for change in changes:
            costs[_domain(change)] += len(concerned[_domain(change)])
        for costliest, _ in costs.most_common():
            if costs.total() > _MOST_ADJUSTMENTS:
                del costs[costliest]
                self._drop(*concerned.pop(costliest))
        for change in changes:
            self._drop(*(each for each in concerned[_domain(change)] if not each.apply(change)))
            self.promise(change.at)

    def promise(self, at: Timestamp) -> None:
        """Makes counts that begin from now on use `at` or a later cluster time."""
        self._next_count_at = max(self._next_count_at, at)

    def _is_repeated(self, jobs: Countable) -> bool:
        mark = hash(jobs)
        if mark in self._seen:
            return True
        self._seen[mark] = None
        if len(self._seen) > self._most * _SEEN_PER_COUNTER:
            self._seen.popitem(last=False)
        return False

    def _drop(self, *counters: Counter) -> None:
        self.dropped += sum(map(self.abandon, counters))


def _domain(change: Change) -> str | None:
    """The domain whose numbers a change may affect; None if it may affect those of any domain."""
    domain_id = None if change.job is None else change.job.get("domain_id", "")
    return domain_id if domain_id.__class__ is str else None

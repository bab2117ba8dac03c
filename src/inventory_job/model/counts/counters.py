"""Numbers of jobs by filter, adjusted to every change that is reported. No I/O.

A number is exact for one point in the history of the set, its time; changes after that are added
to it, earlier ones are in it already. A count is of the time up to which changes were reported when
it began: what is reported while it runs is noted, and added once the count is there.
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
# Of one report; each takes some 1.5 µs.
_MOST_ADJUSTMENTS = 5_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the job collection, of the time `at` in the history of the set: the insert of
    `job`, whose steady fields these are, or any other, which does not say whose the jobs were and
    what they were like before."""

    at: Timestamp
    job: Mapping[str, Any] | None = None


class Counter:
    """The number of jobs of one filter: being counted, then kept."""

    def __init__(self, jobs: Countable, at: Timestamp) -> None:
        self.jobs = jobs
        self.at = at
        """The time that the count has to be of; no later change had been reported before."""
        self.total: int | None = None
        self._noted: list[Change] = []

    def apply(self, change: Change) -> bool:
        """Takes a change. False: the number is lost.

        While the count runs, changes are noted for its end.
        """
        if self.total is None:
            self._noted.append(change)
        elif change.at > self.at:
            included = None if change.job is None else self.jobs.includes(change.job)
            if included is None:
                return False
            self.total += included
        return True

    def settle(self, total: int) -> int | None:
        """Takes the count; the number after the changes noted, None when that is lost."""
        self.total = total
        noted, self._noted = self._noted, []
        return self.total if all(map(self.apply, noted)) else None


class Counters:
    """At most `most` numbers, those used last. For one event loop.

    A filter's number is kept from the second time on that it is wanted, so filters that come once
    push out none that come again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counters: OrderedDict[Countable, Counter] = OrderedDict()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._floor = _BEGINNING
        self.hits = self.misses = self.dropped = 0
        """How often a number was known or not, and how many could not be adjusted."""

    @property
    def kept(self) -> int:
        """How many numbers there are now."""
        return len(self._counters)

    def get(self, jobs: Countable) -> int | None:
        """The number of `jobs`, if it is known."""
        counter = self._counters.get(jobs)
        if counter is None or counter.total is None:
            self.misses += 1
            return None
        self._counters.move_to_end(jobs)
        self.hits += 1
        return counter.total

    def begin(self, jobs: Countable) -> Counter | None:
        """Must be called before `jobs` are counted, at the time `at` of what it returns; None when
        their number is not to be kept.

        What it returns goes to `settle` or `abandon`.
        """
        if jobs in self._counters or not self._comes_again(jobs):
            return None
        counter = self._counters[jobs] = Counter(jobs, self._floor)
        if len(self._counters) > self._most:
            self._counters.popitem(last=False)
        return counter

    def settle(self, counter: Counter, total: int) -> int:
        """Takes the count; the number to show."""
        if (now := counter.settle(total)) is None:
            self._drop(counter)
            return total
        return now

    def abandon(self, counter: Counter) -> bool:
        """The count has failed, or the number is lost; False when it was not kept any more."""
        if self._counters.get(counter.jobs) is not counter:
            return False
        del self._counters[counter.jobs]
        return True

    def clear(self) -> None:
        """Drops all numbers."""
        self.dropped += len(self._counters)
        self._counters.clear()

    def apply(self, changes: Sequence[Change]) -> None:
        """Takes the next changes, in order.

        Drops the numbers of the domains that take longest to adjust, until the others take some
        milliseconds at most: the event loop does nothing else meanwhile.
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
        """Counts that begin from now on are not of an earlier time than `at`."""
        self._floor = max(self._floor, at)

    def forget(self, domain_id: str, at: Timestamp | None) -> None:
        """Drops the numbers of a domain whose jobs were changed by the time `at` (a session's
        operation_time after the change), so that counts after this show the change."""
        self.promise(at or _BEGINNING)
        self._drop(*(each for jobs, each in self._counters.items() if jobs.domain_id == domain_id))

    def _comes_again(self, jobs: Countable) -> bool:
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
    """The domain whose numbers a change may concern; None where it may be any."""
    domain_id = None if change.job is None else change.job.get("domain_id", "")
    return domain_id if domain_id.__class__ is str else None

"""Numbers of jobs by filter, adjusted to every change that is reported. No I/O.

A number is exact for one point in the history of the set, its time; changes after that are added
to it, earlier ones are in it already. So it does not matter in which order a count's result and
the changes around it become known: what is reported while a count runs is noted, and what came
after the count's time is applied once the count is there.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import Timestamp

from inventory_job.query.countable import Countable

_BEGINNING = Timestamp(0, 0)
_SEEN_PER_COUNTER = 8
# Of one report; each takes some 1.5 µs.
_MOST_ADJUSTMENTS = 5_000


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

        While the count runs, changes are noted for its end.
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

    A filter's number is kept from the second time on that it is wanted, so filters that come once
    push out none that come again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counters: OrderedDict[Countable, Counter] = OrderedDict()
        self._of_domain: dict[str, dict[Countable, Counter]] = {}
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
        """Must be called before `jobs` are counted; None when their number is not to be kept.

        What it returns goes to `settle` or `abandon`.
        """
        if jobs in self._counters or not self._comes_again(jobs):
            return None
        counter = Counter(jobs, self._floor)
        self._counters[jobs] = self._of_domain.setdefault(jobs.domain_id, {})[jobs] = counter
        if len(self._counters) > self._most:
            self.abandon(next(iter(self._counters.values())))
        return counter

    def settle(self, counter: Counter, total: int, at: Timestamp) -> int | None:
        """Takes the count, exact for the time `at`; the number to show. None when the count is
        older than what has been shown or promised: count otherwise."""
        if at < counter.floor:
            self.abandon(counter)
            return None
        if not counter.settle(total, at):
            self._drop(counter)
            return total
        return counter.total

    def abandon(self, counter: Counter) -> bool:
        """The count has failed, or the number is lost; False when it was not kept any more."""
        if self._counters.get(counter.jobs) is not counter:
            return False
        del self._counters[counter.jobs]
        of_domain = self._of_domain[counter.jobs.domain_id]
        del of_domain[counter.jobs]
        if not of_domain:
            del self._of_domain[counter.jobs.domain_id]
        return True

    def start(self, at: Timestamp) -> None:
        """From now on every change after `at` will be reported, in order."""
        self.clear()
        self.promise(at)

    def clear(self) -> None:
        """Drops all numbers."""
        self.dropped += len(self._counters)
        self._counters.clear()
        self._of_domain.clear()

    def apply(self, changes: Sequence[Change]) -> None:
        """Takes the next changes, in order."""
        self._drop_costly(changes)
        for change in changes:
            for counter in [*self._of(_domain(change)).values()]:
                self._adjust(counter, change)
            self._floor = max(self._floor, change.at)

    def promise(self, at: Timestamp) -> None:
        """No count of an earlier time than `at` is good any more."""
        self._floor = max(self._floor, at)

    def forget(self, domain_id: str, at: Timestamp | None) -> None:
        """Drops the numbers of a domain that was changed by the time `at`."""
        self.promise(at or _BEGINNING)
        self._drop_all(domain_id)

    def _of(self, domain_id: str | None) -> Mapping[Countable, Counter]:
        """The numbers of a domain; of all domains for None."""
        return self._counters if domain_id is None else self._of_domain.get(domain_id, {})

    def _drop_costly(self, changes: Sequence[Change]) -> None:
        """Drops the numbers of the domains that take longest to adjust, until the others take some
        milliseconds at most: the event loop does nothing else meanwhile."""
        costs: Tally[str | None] = Tally()
        for change in changes:
            costs[_domain(change)] += len(self._of(_domain(change)))
        while costs.total() > _MOST_ADJUSTMENTS:
            [(costliest, _)] = costs.most_common(1)
            self._drop_all(costliest)
            del costs[costliest]

    def _adjust(self, counter: Counter, change: Change) -> None:
        # Others than these do not say what jobs were like before, not even whose they were.
        difference = None
        if change.kind == "insert":
            included = counter.jobs.includes(change.job)
            if included is False:
                return
            difference = 1 if included else None
        elif change.kind == "update" and not counter.fields & change.touched:
            return
        if not counter.add(change.at, difference):
            self._drop(counter)

    def _comes_again(self, jobs: Countable) -> bool:
        mark = hash(jobs)
        if mark in self._seen:
            return True
        self._seen[mark] = None
        if len(self._seen) > self._most * _SEEN_PER_COUNTER:
            self._seen.popitem(last=False)
        return False

    def _drop_all(self, domain_id: str | None) -> None:
        for counter in [*self._of(domain_id).values()]:
            self._drop(counter)

    def _drop(self, counter: Counter) -> None:
        self.dropped += self.abandon(counter)


def _domain(change: Change) -> str | None:
    """The domain whose numbers a change may concern; None where it may be any."""
    if change.kind != "insert":
        return None
    domain_id = change.job.get("domain_id", "")
    return domain_id if domain_id.__class__ is str else None

"""Numbers of jobs by filter, adjusted to every change that is reported. No I/O.

A number is exact for one point in the history of the set, its time; changes after that are added
to it, earlier ones are in it already. So it does not matter in which order a count's result and
the changes around it become known: what is reported while a count runs is noted, and what came
after the count's time is applied once the count is there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import Timestamp

from inventory_job.query.countable import Countable

_BEGINNING = Timestamp(0, 0)
_SEEN_PER_TALLY = 8
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
class TallyFigures:
    """How often a number was known (`hits`) or not (`misses`), how many were `dropped` since they
    could not be adjusted, and how many are `kept` now."""

    hits: int
    misses: int
    dropped: int
    kept: int


class Tally:
    """The number of jobs of one filter: being counted, then kept."""

    def __init__(self, jobs: Countable, floor: Timestamp) -> None:
        self.jobs = jobs
        self.fields = jobs.fields
        self.floor = floor
        """A count of an earlier time lacks changes that nobody will report any more."""
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


class Tallies:
    """At most `most` numbers, those used last. Safe to share between threads.

    A filter's number is kept from the second time on that it is asked for: filters that never
    come again push out none that do.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._tallies: OrderedDict[Countable, Tally] = OrderedDict()
        self._of_domain: dict[str, dict[Countable, Tally]] = {}
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._floor = _BEGINNING
        self._hits = self._misses = self._dropped = 0

    @property
    def figures(self) -> TallyFigures:
        """What has come of it so far."""
        with self._lock:
            return TallyFigures(self._hits, self._misses, self._dropped, len(self._tallies))

    def get(self, jobs: Countable) -> int | None:
        """The number of `jobs`, if it is known."""
        with self._lock:
            tally = self._tallies.get(jobs)
            if tally is None or tally.total is None:
                self._misses += 1
                return None
            self._tallies.move_to_end(jobs)
            self._hits += 1
            return tally.total

    def kept(self, jobs: Countable) -> Tally | None:
        """The tally of `jobs`, if their number is known."""
        with self._lock:
            tally = self._tallies.get(jobs)
            return tally if tally and tally.total is not None else None

    def total(self, tally: Tally) -> int | None:
        """The number of jobs of a tally that is still kept; None for one that was dropped, also
        where they have been counted again since."""
        with self._lock:
            if self._tallies.get(tally.jobs) is not tally:
                return None
            self._tallies.move_to_end(tally.jobs)
            return tally.total

    def begin(self, jobs: Countable) -> Tally | None:
        """Must be called before `jobs` are counted; None when their number is not to be kept.

        What it returns goes to `settle` or `abandon`.
        """
        with self._lock:
            if jobs in self._tallies or not self._comes_again(jobs):
                return None
            tally = Tally(jobs, self._floor)
            self._tallies[jobs] = self._of_domain.setdefault(jobs.domain_id, {})[jobs] = tally
            if len(self._tallies) > self._most:
                self._remove(next(iter(self._tallies.values())))
            return tally

    def settle(self, tally: Tally, total: int, at: Timestamp) -> int | None:
        """Takes the count, exact for the time `at`; the number to show. None when the count is
        older than what has been shown or promised: count otherwise."""
        with self._lock:
            if at < tally.floor:
                self._remove(tally)
                return None
            if not tally.settle(total, at):
                self._drop(tally)
                return total
            return tally.total

    def abandon(self, tally: Tally) -> None:
        """The count has failed."""
        with self._lock:
            self._remove(tally)

    def start(self, at: Timestamp) -> None:
        """From now on every change after `at` will be reported, in order."""
        with self._lock:
            self._clear()
            self._floor = max(self._floor, at)

    def clear(self) -> None:
        """Forgets all numbers."""
        with self._lock:
            self._clear()

    def apply(self, changes: Sequence[Change]) -> None:
        """Takes the next changes, one by one, so that nobody waits for many."""
        with self._lock:
            if len(changes) * len(self._tallies) > _MOST_ADJUSTMENTS:
                # Counting again is quicker than that.
                self._clear()
        for change in changes:
            with self._lock:
                self._apply(change)
                self._floor = max(self._floor, change.at)

    def promise(self, at: Timestamp) -> None:
        """No count of an earlier time than `at` is good any more."""
        with self._lock:
            self._floor = max(self._floor, at)

    def forget(self, domain_id: str, at: Timestamp | None) -> None:
        """Forgets a domain's numbers, since it was changed by the time `at`."""
        with self._lock:
            self._floor = max(self._floor, at or _BEGINNING)
            for tally in [*self._of_domain.get(domain_id, {}).values()]:
                self._drop(tally)

    def _apply(self, change: Change) -> None:
        if change.kind == "insert":
            domain_id = change.job.get("domain_id")
            if isinstance(domain_id, str):
                for tally in [*self._of_domain.get(domain_id, {}).values()]:
                    included = tally.jobs.includes(change.job)
                    if included is not False:
                        self._add(tally, change.at, 1 if included else None)
            elif domain_id is not None:
                self._lose(self._tallies.values(), change.at)
        elif change.kind == "update":
            self._lose(
                (tally for tally in self._tallies.values() if tally.fields & change.touched),
                change.at,
            )
        elif change.kind in {"delete", "replace"}:
            # They do not say what the job was like before, not even whose it was.
            self._lose(self._tallies.values(), change.at)
        else:
            self._clear()

    def _lose(self, tallies: Iterable[Tally], at: Timestamp) -> None:
        for tally in [*tallies]:
            self._add(tally, at, None)

    def _add(self, tally: Tally, at: Timestamp, difference: int | None) -> None:
        if not tally.add(at, difference):
            self._drop(tally)

    def _comes_again(self, jobs: Countable) -> bool:
        mark = hash(jobs)
        if mark in self._seen:
            return True
        self._seen[mark] = None
        if len(self._seen) > self._most * _SEEN_PER_TALLY:
            self._seen.popitem(last=False)
        return False

    def _clear(self) -> None:
        self._dropped += len(self._tallies)
        self._tallies.clear()
        self._of_domain.clear()

    def _drop(self, tally: Tally) -> None:
        self._dropped += self._remove(tally)

    def _remove(self, tally: Tally) -> bool:
        if self._tallies.get(tally.jobs) is not tally:
            return False
        del self._tallies[tally.jobs]
        of_domain = self._of_domain[tally.jobs.domain_id]
        del of_domain[tally.jobs]
        if not of_domain:
            del self._of_domain[tally.jobs.domain_id]
        return True

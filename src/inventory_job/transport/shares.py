"""What tenants and connections have of the server: calls held and running, and work charged."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_RECENT_SECONDS = 1.0
"""A tenant or connection that wanted a permit so lately counts among those that want one."""
_SHORT_WAIT_SECONDS = 0.1
_STANDING_QUEUE_SECONDS = 1.0
_HALF_LIFE_SECONDS = 10.0
"""After so long half of what was charged counts."""
_SECONDS_PER_SLOT = 2.5
"""So much charged time costs a tenant one of its slots to run."""
_FORGOTTEN_SECONDS = 0.25
"""A charge of less is none."""


class Share:
    """The calls of one tenant, of one connection, of both, or all: how many are held, run (at most
    `most_running`), and wait because so many run.

    The wait follows the controlled delay algorithm (CoDel): once calls have been waiting for a
    second without a break it is no burst, and calls wait only briefly, since a longer queue would
    only add delay.
    """

    __slots__ = ("_waiting", "_waiting_since", "held", "most_running", "running", "turn")

    def __init__(self, most_running: int) -> None:
        self.held = 0
        self.running = 0
        self.most_running = most_running
        self.turn = asyncio.Lock()
        """What the one call has that works on a large message."""
        self._waiting = 0
        self._waiting_since = 0.0

    def longest_wait(self, now: float, patience: float) -> float:
        """How long a call that comes now may wait, in seconds; at most `patience`."""
        is_standing = self._waiting and now - self._waiting_since > _STANDING_QUEUE_SECONDS
        return min(patience, _SHORT_WAIT_SECONDS) if is_standing else patience

    def begin_wait(self, now: float) -> None:
        """One more call waits."""
        if not self._waiting:
            self._waiting_since = now
        self._waiting += 1

    def end_wait(self) -> None:
        """One call less waits."""
        self._waiting -= 1


class Charges:
    """What slow work was charged to tenants, in seconds, of which half count after
    `_HALF_LIFE_SECONDS`. A tenant loses `most_slots` at most."""

    def __init__(self, most_slots: int, clock: Callable[[], float]) -> None:
        self._most = most_slots * _SECONDS_PER_SLOT
        self._clock = clock
        self._charged: dict[str, tuple[float, float]] = {}
        """By tenant: the seconds, and when they were that many."""

    def add(self, tenant: str, seconds: float) -> None:
        """Charges a tenant with so many seconds more."""
        charged = {**self._charged, tenant: (self._of(tenant) + seconds, self._clock())}
        self._charged = {
            each: (min(seconds, self._most), at)
            for each, (seconds, at) in charged.items()
            if each == tenant or self._of(each) >= _FORGOTTEN_SECONDS
        }

    def slots_lost(self, tenant: str) -> int:
        """How many slots the charges cost a tenant now."""
        return int(self._of(tenant) / _SECONDS_PER_SLOT)

    def _of(self, tenant: str) -> float:
        if tenant not in self._charged:
            return 0.0
        seconds, at = self._charged[tenant]
        return seconds * math.pow(0.5, (self._clock() - at) / _HALF_LIFE_SECONDS)


_Key = TypeVar("_Key", str, tuple[str, str])


class Table(Generic[_Key]):
    """The shares of the tenants, of the connections, or of the tenants on each connection: each
    holds at most `most_held` permits while others want some."""

    def __init__(self, most_held: int, most_running: int, clock: Callable[[], float]) -> None:
        self._most_held = most_held
        self._most_running = most_running
        self._clock = clock
        self._shares: dict[_Key, Share] = {}
        self._wanted: OrderedDict[_Key, float] = OrderedDict()
        """When each wanted a permit last, the latest last; older ones go with the next."""

    def has_others(self, key: _Key) -> bool:
        """Whether others than `key` hold permits, or wanted one a moment ago."""
        if len(self._shares) > (key in self._shares):
            return True
        latest = next((each for each in reversed(self._wanted) if each != key), None)
        return latest is not None and self._is_recent(latest)

    def is_full(self, key: _Key) -> bool:
        """Whether `key` has its share."""
        share = self._shares.get(key)
        return share is not None and share.held >= self._most_held and self.has_others(key)

    def enter(self, key: _Key) -> Share:
        """The share of `key`, which holds one more permit."""
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = Share(self._most_running)
        share.held += 1
        self.want(key)
        return share

    def leave(self, key: _Key) -> None:
        """One permit less is held."""
        share = self._shares[key]
        share.held -= 1
        if not share.held:
            del self._shares[key]

    def want(self, key: _Key) -> None:
        """A permit is wanted, whether it is given or not."""
        self._wanted[key] = self._clock()
        self._wanted.move_to_end(key)
        while not self._is_recent(next(iter(self._wanted))):
            self._wanted.popitem(last=False)

    def _is_recent(self, key: _Key) -> bool:
        return self._clock() - self._wanted[key] < _RECENT_SECONDS

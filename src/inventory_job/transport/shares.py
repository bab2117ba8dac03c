"""What tenants and connections have of the server: calls held and running, and work charged."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

_RECENT_SECONDS = 1.0
"""A tenant or connection that was refused for so long counts among those that want permits."""
_SHORT_WAIT_SECONDS = 0.1
_STANDING_QUEUE_SECONDS = 1.0
_HALF_LIFE_SECONDS = 10.0
"""After so long half of what was charged counts."""
_SECONDS_PER_SLOT = 2.5
"""So much charged time costs a tenant one of its slots to run."""
_FORGOTTEN_SECONDS = 0.25
"""A charge of less is none."""


class Share:
    """The calls of one tenant, of one connection, of both, or all: how many are held, how many of
    them run, at most `most_running` at a time, and those that wait, in the order of their coming.

    The wait follows the controlled delay algorithm (CoDel): once calls have been waiting for a
    second without a break it is no burst, and calls wait only briefly, since a longer queue would
    only add delay.
    """

    def __init__(self, most_running: int, clock: Callable[[], float]) -> None:
        self.held = 0
        self.turn = asyncio.Lock()
        """What one of the calls at a time has that work on a large message."""
        self._running = 0
        self._most_running = most_running
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._waiting_since = 0.0

    def longest_wait(self, patience: float) -> float:
        """How long a call that comes now may wait, in seconds; at most `patience`."""
        if self._waiting and self._clock() - self._waiting_since > _STANDING_QUEUE_SECONDS:
            return min(patience, _SHORT_WAIT_SECONDS)
        return patience

    async def enter(self) -> None:
        """Waits until one more call may run, and counts it among those that run."""
        if self._can_run():
            self._running += 1
            return
        if not self._waiting:
            self._waiting_since = self._clock()
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """A call runs no more: the first of those that wait runs instead."""
        self._running -= 1
        self._wake_waiting()

    def change_most_running(self, most_running: int) -> None:
        """From now on, so many may run at a time; those that run already go on."""
        self._most_running = most_running
        self._wake_waiting()

    def _can_run(self) -> bool:
        """Whether one more call may run now; calls wait only while none may."""
        return self._running < self._most_running

    def _wake_waiting(self) -> None:
        while self._waiting and self._can_run():
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._running += 1


class Charges:
    """What slow work was charged to tenants, in seconds, of which half count after
    `_HALF_LIFE_SECONDS`. A tenant loses `most_slots` at most."""

    def __init__(self, most_slots: int, clock: Callable[[], float]) -> None:
        self._most = most_slots * _SECONDS_PER_SLOT
        self._clock = clock
        self._charged: dict[str, tuple[float, float]] = {}
        """By tenant: the seconds, and when they were that many."""

    def __len__(self) -> int:
        return len(self._charged)

    def add(self, tenant: str, seconds: float) -> None:
        """Charges a tenant with so many seconds more."""
        self._charged[tenant] = (min(self._of(tenant) + seconds, self._most), self._clock())

    def slots_lost(self, tenant: str) -> int:
        """How many slots the charges cost a tenant now."""
        return int(self._of(tenant) / _SECONDS_PER_SLOT)

    def tenants(self) -> list[str]:
        """Those that are charged; from now on, without those whose charges count no more."""
        tenants = [*self._charged]
        for tenant in tenants:
            if self._of(tenant) < _FORGOTTEN_SECONDS:
                del self._charged[tenant]
        return tenants

    def _of(self, tenant: str) -> float:
        seconds, at = self._charged.get(tenant, (0.0, 0.0))
        return seconds * math.pow(0.5, (self._clock() - at) / _HALF_LIFE_SECONDS)


_Key: TypeAlias = "str | tuple[str, str]"
"""A tenant, a connection, or both."""


class _Latest:
    """The key of which something was noted last, and the last other one; each with its time."""

    def __init__(self) -> None:
        self._last: tuple[_Key | None, float] = (None, -math.inf)
        self._last_other: tuple[_Key | None, float] = (None, -math.inf)

    def note(self, key: _Key, now: float) -> None:
        if key != self._last[0]:
            self._last_other = self._last
        self._last = (key, now)

    def of_others(self, key: _Key) -> float:
        """When it was noted of another than `key`."""
        return self._last_other[1] if key == self._last[0] else self._last[1]


class Table:
    """The shares of the tenants, of the connections, or of the tenants on each connection: each
    holds at most `most_held` permits while others want some."""

    def __init__(self, most_held: int, most_running: int, clock: Callable[[], float]) -> None:
        self._most_held = most_held
        self._most_running = most_running
        self._clock = clock
        self._shares: dict[_Key, Share] = {}
        self._entered = _Latest()
        self._refused = _Latest()

    def get(self, key: _Key) -> Share | None:
        """The share of `key`, if it holds permits."""
        return self._shares.get(key)

    def is_wanted_by_others(self, key: _Key) -> bool:
        """Whether others than `key` hold permits, or took one a moment ago."""
        return self._is_recent(self._entered.of_others(key)) or self.has_others(key)

    def has_others(self, key: _Key) -> bool:
        """Whether others than `key` hold permits, or were refused a moment ago."""
        if len(self._shares) > (key in self._shares):
            return True
        return self._is_recent(self._refused.of_others(key))

    def is_full(self, key: _Key) -> bool:
        """Whether `key` has its share."""
        share = self._shares.get(key)
        return share is not None and share.held >= self._most_held and self.has_others(key)

    def enter(self, key: _Key) -> Share:
        """The share of `key`, which holds one more permit."""
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = Share(self._most_running, self._clock)
        share.held += 1
        self._entered.note(key, self._clock())
        return share

    def leave(self, key: _Key) -> None:
        """One permit less is held."""
        share = self._shares[key]
        share.held -= 1
        if not share.held:
            del self._shares[key]

    def refuse(self, key: _Key) -> None:
        """A permit was refused."""
        self._refused.note(key, self._clock())

    def _is_recent(self, at: float) -> bool:
        return self._clock() - at < _RECENT_SECONDS

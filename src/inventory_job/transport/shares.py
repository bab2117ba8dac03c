"""What each tenant and connection uses of the server: calls held, calls running, slow work."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

_RECENT_SECONDS = 1.0
"""How long a tenant or connection counts as wanting permits after it took or was refused one."""
_SHORT_WAIT_SECONDS = 0.1
_STANDING_QUEUE_SECONDS = 1.0
_HALF_LIFE_SECONDS = 10.0
"""The half-life of charged time."""
_SECONDS_PER_SLOT = 2.5
"""The charged time that costs a tenant one of its slots."""
_FORGOTTEN_SECONDS = 0.25
"""Charged time below this counts as none."""


class Share:
    """The calls of one tenant, one connection, one tenant on one connection, or the whole server:
    how many are held and running (at most `most_running`), and a FIFO queue of those that wait.

    The wait follows the controlled delay algorithm (CoDel): a queue that has not been empty for a
    second is not a burst, so calls then wait only briefly, since a longer queue only adds delay.
    For one event loop. `when_unheld` is called once no permit is held any more.
    """

    def __init__(
        self, most_running: int, clock: Callable[[], float], when_unheld: Callable[[], object]
    ) -> None:
        self.held = 0
        self.turn = asyncio.Lock()
        """Held by a call while it works on a large message: one call at a time."""
        self._running = 0
        self._most_running = most_running
        self._clock = clock
        self._when_unheld = when_unheld
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._waiting_since = 0.0

    def release(self) -> None:
        """Counts one permit less."""
        self.held -= 1
        if not self.held:
            self._when_unheld()

    def longest_wait(self, patience: float) -> float:
        """How long a call that arrives now may wait, in seconds; at most `patience`."""
        if self._waiting and self._clock() - self._waiting_since > _STANDING_QUEUE_SECONDS:
            return min(patience, _SHORT_WAIT_SECONDS)
        return patience

    async def enter(self) -> None:
        """Waits for a slot to run, and takes it."""
        if self._running < self._most_running:  # the queue is empty whenever a slot is free
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
        """Releases a slot, to the first call in the queue."""
        self._running -= 1
        self._wake_waiting()

    def change_most_running(self, most_running: int) -> None:
        """Sets how many calls may run at a time; calls that run already go on."""
        self._most_running = most_running
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        while self._waiting and self._running < self._most_running:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._running += 1


class Charges:
    """The seconds of slow work charged to each tenant, which decay with a half-life of
    `_HALF_LIFE_SECONDS`. A tenant loses at most `most_slots` slots."""

    def __init__(self, most_slots: int, clock: Callable[[], float]) -> None:
        self._most = most_slots * _SECONDS_PER_SLOT
        self._clock = clock
        self._charged: dict[str, tuple[float, float]] = {}
        """By tenant: the charged seconds, and the time from which they decay."""

    def add(self, tenant: str, seconds: float) -> None:
        """Adds seconds to the charge of a tenant."""
        self._charged[tenant] = (min(self._of(tenant) + seconds, self._most), self._clock())

    def slots_lost(self, tenant: str) -> int:
        """How many slots its charge costs a tenant now."""
        return int(self._of(tenant) / _SECONDS_PER_SLOT)

    def tenants(self) -> list[str]:
        """The charged tenants; one whose charge has decayed is listed for the last time."""
        tenants = [*self._charged]
        for tenant in tenants:
            if self._of(tenant) < _FORGOTTEN_SECONDS:
                del self._charged[tenant]
        return tenants

    def _of(self, tenant: str) -> float:
        seconds, at = self._charged.get(tenant, (0.0, 0.0))
        return seconds * math.pow(0.5, (self._clock() - at) / _HALF_LIFE_SECONDS)


_Key: TypeAlias = "str | tuple[str, str]"
"""A tenant, a connection, or a pair of both."""


class Latest:
    """The key of the latest event and the latest different key, each with its time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: tuple[_Key | None, float] = (None, -math.inf)
        self._last_other: tuple[_Key | None, float] = (None, -math.inf)

    def note(self, key: _Key) -> None:
        """Notes an event of `key` now."""
        if key != self._last[0]:
            self._last_other = self._last
        self._last = (key, self._clock())

    def is_of_others(self, key: _Key) -> bool:
        """Whether any key but `key` had an event within a second."""
        _, at = self._last_other if key == self._last[0] else self._last
        return self._clock() - at < _RECENT_SECONDS


class Table:
    """The shares of all tenants, connections, or pairs of both. While other keys want permits,
    each holds at most `most_held`."""

    def __init__(self, most_held: int, most_running: int, clock: Callable[[], float]) -> None:
        self._most_held = most_held
        self._most_running = most_running
        self._clock = clock
        self._shares: dict[_Key, Share] = {}
        self._refused = Latest(clock)

    def get(self, key: _Key) -> Share | None:
        """The share of `key`; None if it holds no permit."""
        return self._shares.get(key)

    def has_others(self, key: _Key) -> bool:
        """Whether another key holds a permit, or was refused one within a second."""
        return len(self._shares) > (key in self._shares) or self._refused.is_of_others(key)

    def is_full(self, key: _Key) -> bool:
        """Whether `key` holds as many permits as it may."""
        share = self._shares.get(key)
        return share is not None and share.held >= self._most_held and self.has_others(key)

    def enter(self, key: _Key) -> Share:
        """Counts one more permit held by `key`; returns its share."""
        share = self._shares.get(key)
        if share is None:
            forget = partial(self._shares.pop, key)
            share = self._shares[key] = Share(self._most_running, self._clock, forget)
        share.held += 1
        return share

    def refuse(self, key: _Key) -> None:
        """Notes that `key` was refused a permit."""
        self._refused.note(key)

"""How many calls the server holds and runs, in all and for each tenant and connection.

A call takes a permit once its message is there, and gives it back when its client has taken the
answer. With a permit it waits for its turn to run; beyond the permits, and after waiting for too
long, it is refused with RESOURCE_EXHAUSTED (docs/adr/0005-one-limiter.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from inventory_job.errors import Overloaded

_RECENT_SECONDS = 1.0
"""A tenant or connection that was refused for so long counts among those that want permits."""
_SHORT_WAIT_SECONDS = 0.1
_STANDING_QUEUE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`held`: the calls held in all; while others want permits a tenant has at most half of them,
    and a connection a quarter. `running`: the calls that run at a time in all, `tenant_running` of
    one tenant and half of that on one connection. `wait_seconds`: how long a call waits to run."""

    held: int = 256
    running: int = 32
    tenant_running: int = 8
    wait_seconds: float = 5.0


class _Share:
    """The calls of one tenant, of one connection, or all: how many are held, how many of them run,
    at most `most_running` at a time, and those that wait, in the order in which they came.

    The wait follows the controlled delay algorithm (CoDel): once calls have been waiting for a
    second without a break it is no burst, and calls wait only briefly, since a longer queue would
    only add delay.
    """

    __slots__ = ("_clock", "_most_running", "_waiting", "_waiting_since", "held", "running")

    def __init__(self, most_running: int, clock: Callable[[], float]) -> None:
        self.held = 0
        self.running = 0
        self._most_running = most_running
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._waiting_since = 0.0

    @property
    def has_room(self) -> bool:
        """Whether one more call may run now; calls wait only while there is no room."""
        return self.running < self._most_running

    def longest_wait(self, patience: float) -> float:
        """How long a call that comes now may wait, in seconds; at most `patience`."""
        if self._waiting and self._clock() - self._waiting_since > _STANDING_QUEUE_SECONDS:
            return min(patience, _SHORT_WAIT_SECONDS)
        return patience

    async def enter(self) -> None:
        """Waits until one more call may run, and counts it among those that run."""
        if self.has_room:
            self.running += 1
            return
        if not self._waiting:
            self._waiting_since = self._clock()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """A call runs no more: the first of those that wait takes its turn."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1


_PermitShares: TypeAlias = tuple[_Share, _Share, _Share]
"""Those of a call's connection and tenant, and that of all; in the order in which it enters."""


class Permit:
    """The permit of one call; `leave` gives it back, repeating is harmless."""

    __slots__ = ("_is_held", "_limiter", "_running", "_shares", "peer", "tenant")

    def __init__(self, limiter: Limiter, tenant: str, peer: str, shares: _PermitShares) -> None:
        self.tenant = tenant
        self.peer = peer
        self._limiter = limiter
        self._shares = shares
        self._running = 0
        self._is_held = True

    async def run(self) -> None:
        """Waits until the call may run; raises Overloaded when that takes too long."""
        connection, tenant, every = self._shares
        if connection.has_room and tenant.has_room and every.has_room:
            connection.running += 1
            tenant.running += 1
            every.running += 1
            self._running = 3
            return
        patience = self._limiter.limits.wait_seconds
        try:
            async with asyncio.timeout(min(each.longest_wait(patience) for each in self._shares)):
                for share in self._shares:
                    await share.enter()
                    self._running += 1
        except TimeoutError:
            self.stop()
            self._limiter.refuse(self.tenant, self.peer)
            raise Overloaded from None

    def stop(self) -> None:
        """The call runs no more; its answer may still be on its way."""
        if self._running:
            for share in self._shares[: self._running]:
                share.leave()
            self._running = 0

    def leave(self) -> None:
        """The call has ended, or its client has taken the answer."""
        self.stop()
        if self._is_held:
            self._is_held = False
            self._limiter.left(self)


class Limiter:
    """Gives permits to calls, for one event loop. `clock` is monotonic, in seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.refused = 0
        """The calls refused since the start."""
        self._all = _Share(limits.running, clock)
        self._tenants = _Table(limits.held // 2, limits.tenant_running, clock)
        self._peers = _Table(limits.held // 4, max(limits.tenant_running // 2, 1), clock)
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def held(self) -> int:
        """The calls held now."""
        return self._all.held

    def enter(self, tenant: str, peer: str) -> Permit:
        """A permit for a call of the tenant on the connection; raises Overloaded."""
        if self._is_full(tenant) or self._tenants.is_full(tenant) or self._peers.is_full(peer):
            self.refuse(tenant, peer)
            raise Overloaded
        if not self._all.held:
            self._idle.clear()
        self._all.held += 1
        shares = (self._peers.enter(peer), self._tenants.enter(tenant), self._all)
        return Permit(self, tenant, peer, shares)

    def left(self, permit: Permit) -> None:
        """A permit is given back."""
        self._tenants.leave(permit.tenant)
        self._peers.leave(permit.peer)
        self._all.held -= 1
        if not self._all.held:
            self._idle.set()

    def refuse(self, tenant: str, peer: str) -> None:
        """Counts a call that is refused."""
        self.refused += 1
        self._tenants.refuse(tenant)
        self._peers.refuse(peer)

    async def wait_idle(self, seconds: float) -> bool:
        """Waits until no call is held, at most so long; whether that is so."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _is_full(self, tenant: str) -> bool:
        """Whether all permits are held that the tenant may have: alone it leaves a quarter to
        others that may come."""
        free = self.limits.held - self._all.held
        if free > self.limits.held // 4:
            return False
        return free <= 0 or not self._tenants.has_others(tenant)


class _Table:
    """The shares of the tenants, or of the connections: each holds at most `most_held` permits
    while others want some."""

    def __init__(self, most_held: int, most_running: int, clock: Callable[[], float]) -> None:
        self._most_held = most_held
        self._most_running = most_running
        self._clock = clock
        self._shares: dict[str, _Share] = {}
        self._refused: OrderedDict[str, float] = OrderedDict()
        """When each was refused last, the latest last; older ones go with the next refusal."""

    def has_others(self, key: str) -> bool:
        """Whether others than `key` hold permits, or were refused a moment ago."""
        if len(self._shares) > (key in self._shares):
            return True
        latest = next((each for each in reversed(self._refused) if each != key), None)
        return latest is not None and self._is_recent(latest)

    def is_full(self, key: str) -> bool:
        """Whether `key` has its share."""
        share = self._shares.get(key)
        return share is not None and share.held >= self._most_held and self.has_others(key)

    def enter(self, key: str) -> _Share:
        """The share of `key`, which holds one more permit."""
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = _Share(self._most_running, self._clock)
        share.held += 1
        return share

    def leave(self, key: str) -> None:
        """One permit less is held."""
        share = self._shares[key]
        share.held -= 1
        if not share.held:
            del self._shares[key]

    def refuse(self, key: str) -> None:
        """A permit was refused."""
        self._refused[key] = self._clock()
        self._refused.move_to_end(key)
        while not self._is_recent(next(iter(self._refused))):
            self._refused.popitem(last=False)

    def _is_recent(self, key: str) -> bool:
        return self._clock() - self._refused[key] < _RECENT_SECONDS

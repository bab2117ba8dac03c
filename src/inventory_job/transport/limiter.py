"""How many calls the server holds and runs, in all and for each tenant and connection.

A call takes a permit once its message is there, and gives it back when its client has taken the
answer. With a permit it waits for its turn to run; beyond the permits, and after waiting for too
long, it is refused with RESOURCE_EXHAUSTED (docs/adr/0005-one-limiter.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

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


class _Queue:
    """Calls that run, so many at a time; others wait in the order in which they came.

    The wait follows the controlled delay algorithm (CoDel): once the queue has not been empty for a
    second it is no burst, and calls wait only briefly, since a longer queue would only add delay.
    """

    def __init__(self, running: int, clock: Callable[[], float]) -> None:
        self.semaphore = asyncio.Semaphore(running)
        self._clock = clock
        self._free_at = clock()

    def longest_wait(self, patience: float) -> float:
        """How long a call that comes now may wait, in seconds; at most `patience`."""
        now = self._clock()
        if not self.semaphore.locked():
            self._free_at = now
        is_standing = now - self._free_at > _STANDING_QUEUE_SECONDS
        return min(patience, _SHORT_WAIT_SECONDS) if is_standing else patience

    def release(self) -> None:
        """A call has ended."""
        self.semaphore.release()
        if not self.semaphore.locked():
            self._free_at = self._clock()


class Permit:
    """The permit of one call; `leave` gives it back, repeating is harmless."""

    def __init__(self, limiter: Limiter, tenant: str, peer: str) -> None:
        self.tenant = tenant
        self.peer = peer
        self._limiter = limiter
        self._running: list[_Queue] = []
        self._is_held = True

    async def run(self) -> None:
        """Waits until the call may run; raises Overloaded when that takes too long."""
        queues = self._limiter.queues(self.tenant, self.peer)
        if any(queue.semaphore.locked() for queue in queues):
            wait = min(queue.longest_wait(self._limiter.limits.wait_seconds) for queue in queues)
            try:
                async with asyncio.timeout(wait):
                    await self._enter(queues)
            except TimeoutError:
                self.stop()
                self._limiter.refuse(self.tenant, self.peer)
                raise Overloaded from None
        else:
            await self._enter(queues)

    async def _enter(self, queues: tuple[_Queue, ...]) -> None:
        for queue in queues:
            await queue.semaphore.acquire()
            self._running.append(queue)

    def stop(self) -> None:
        """The call runs no more; its answer may still be on its way."""
        for queue in self._running:
            queue.release()
        self._running.clear()

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
        self.held = 0
        """The calls held now."""
        self.refused = 0
        """The calls refused since the start."""
        self._clock = clock
        self._all = _Queue(limits.running, clock)
        self._tenants = _Shares(limits.held // 2, limits.tenant_running, clock)
        self._peers = _Shares(limits.held // 4, max(limits.tenant_running // 2, 1), clock)
        self._idle = asyncio.Event()
        self._idle.set()

    def enter(self, tenant: str, peer: str) -> Permit:
        """A permit for a call of the tenant on the connection; raises Overloaded."""
        limits = self.limits
        # A tenant alone leaves a quarter to others that may come.
        most = limits.held if self._tenants.has_others(tenant) else limits.held - limits.held // 4
        if self.held >= most or self._tenants.is_full(tenant) or self._peers.is_full(peer):
            self.refuse(tenant, peer)
            raise Overloaded
        self.held += 1
        self._idle.clear()
        self._tenants.enter(tenant)
        self._peers.enter(peer)
        return Permit(self, tenant, peer)

    def left(self, permit: Permit) -> None:
        """A permit is given back."""
        self.held -= 1
        self._tenants.leave(permit.tenant)
        self._peers.leave(permit.peer)
        if not self.held:
            self._idle.set()

    def refuse(self, tenant: str, peer: str) -> None:
        """Counts a call that is refused."""
        self.refused += 1
        self._tenants.refuse(tenant)
        self._peers.refuse(peer)

    def queues(self, tenant: str, peer: str) -> tuple[_Queue, ...]:
        """The queues that a call passes to run, in the order of passing."""
        return self._peers.queue(peer), self._tenants.queue(tenant), self._all

    async def wait_idle(self, seconds: float) -> bool:
        """Waits until no call is held, at most so long; whether that is so."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


class _Shares:
    """The permits held by each tenant, or on each connection: at most `most` while others want
    some."""

    def __init__(self, most: int, running: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._running = running
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._queues: dict[str, _Queue] = {}
        self._refused: dict[str, float] = {}

    def has_others(self, key: str) -> bool:
        """Whether others than `key` hold permits, or were refused a moment ago."""
        now = self._clock()
        while self._refused:
            first = next(iter(self._refused))
            if now - self._refused[first] < _RECENT_SECONDS:
                break
            del self._refused[first]
        return any(len(each) > (key in each) for each in (self._held, self._refused))

    def is_full(self, key: str) -> bool:
        """Whether `key` has its share."""
        return self._held[key] >= self._most and self.has_others(key)

    def queue(self, key: str) -> _Queue:
        """The queue of `key`, which holds permits."""
        return self._queues[key]

    def enter(self, key: str) -> None:
        """One more permit is held."""
        if not self._held[key]:
            self._queues[key] = _Queue(self._running, self._clock)
        self._held[key] += 1

    def leave(self, key: str) -> None:
        """One permit less is held."""
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key], self._queues[key]

    def refuse(self, key: str) -> None:
        """A permit was refused."""
        self._refused.pop(key, None)
        self._refused[key] = self._clock()

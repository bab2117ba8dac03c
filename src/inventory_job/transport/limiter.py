"""How many calls the server holds and runs, in all and for each tenant and connection.

A call takes a permit once its message is there, and gives it back when its client has taken the
answer. With a permit it waits for a slot to run; beyond the permits, and after waiting for too
long, it is refused with RESOURCE_EXHAUSTED. Slow work leaves its tenant fewer slots for a while
(docs/adr/0005-one-limiter.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from inventory_job.errors import Overloaded
from inventory_job.tasks import in_thread
from inventory_job.transport.shares import Charges, Share, Table

_Result = TypeVar("_Result")

LARGE_BYTES = 64 * 1024
"""Messages above this are large: 9 000 words take 30 ms to read, a list of 1 000 jobs takes 14 ms
to become JSON."""
_QUICK_SECONDS = 0.1
"""Work is charged to its tenant beyond this."""
_LOOK_AGAIN_SECONDS = 0.25
"""How soon calls that wait notice that their tenant has more slots again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`held`: the calls held in all; while others want permits, a tenant and a connection each have
    at most half of them, and a tenant on one connection a quarter. `running`: the calls that run at
    a time in all, half of them on one connection, `tenant_running` of one tenant and half of those
    on one connection. `wait_seconds`: how long a call waits to run."""

    held: int = 256
    running: int = 32
    tenant_running: int = 8
    wait_seconds: float = 5.0


PermitShares: TypeAlias = tuple[Share, Share, Share, Share]
"""Those of a call's tenant on its connection, its tenant, its connection, and that of all; in the
order in which it enters."""
_OF_TENANT = 2
"""How many of these are its tenant's own."""


class Permit:
    """The permit of one call; `leave` gives it back, repeating is harmless."""

    __slots__ = ("_begun_at", "_is_held", "_limiter", "_running", "_shares", "peer", "tenant")

    def __init__(self, limiter: Limiter, tenant: str, peer: str, shares: PermitShares) -> None:
        self.tenant = tenant
        self.peer = peer
        self._limiter = limiter
        self._shares = shares
        self._running = 0
        self._begun_at = 0.0
        self._is_held = True

    async def run(self) -> None:
        """Waits until the call may run; raises Overloaded when that takes too long."""
        patience = self._limiter.limits.wait_seconds
        try:
            async with asyncio.timeout(min(each.longest_wait(patience) for each in self._shares)):
                for share in self._shares:
                    await share.enter()
                    self._running += 1
        except TimeoutError:
            self.stop()
            self._limiter.refuse(self.tenant, self.peer)
            raise Overloaded("too many calls at once: no slot to run came free in time") from None
        self._begun_at = self._limiter.clock()

    async def work(self, size: int, work: Callable[[], _Result]) -> _Result:
        """What `work` gives or raises, on a message of `size` bytes.

        Of a large message it is done in a thread, so that the event loop goes on, for one call of
        the tenant at a time: it takes ten times the memory of the message.
        """
        if size <= LARGE_BYTES:
            return work()
        clock = self._limiter.clock
        comes_at = clock()
        _, of_tenant, _, _ = self._shares
        async with of_tenant.turn:
            # The wait is not work, for which the tenant would be charged.
            self._begun_at += clock() - comes_at
            return await in_thread(work)

    def charge(self) -> None:
        """Charges the tenant for what the call has done since it began to run."""
        self._limiter.charge(self.tenant, self._limiter.clock() - self._begun_at - _QUICK_SECONDS)

    def stop(self, *, is_large: bool = False) -> None:
        """The call runs no more; its answer may still be on its way. A large one counts among the
        calls of its tenant that run until it is taken: so a tenant whose clients do not read has a
        bounded number of them in memory, and holds up no other."""
        kept = _OF_TENANT if is_large else 0
        for share in self._shares[kept : self._running]:
            share.leave()
        self._running = min(self._running, kept)

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
        self.clock = clock
        self.refused = 0
        """The calls refused since the start."""
        self._all = Share(limits.running, clock)
        self._tenants = Table(limits.held // 2, limits.tenant_running, clock)
        self._peers = Table(limits.held // 2, max(limits.running // 2, 1), clock)
        # A connection may carry many tenants, and one of them is not to hold up the others.
        self._pairs = Table(limits.held // 4, max(limits.tenant_running // 2, 1), clock)
        self._charges = Charges(limits.tenant_running, clock)
        self._looking: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def held(self) -> int:
        """The calls held now."""
        return self._all.held

    def enter(self, tenant: str, peer: str) -> Permit:
        """A permit for a call of the tenant on the connection; raises Overloaded."""
        pair = (tenant, peer)
        if full := self._what_is_full(tenant, peer):
            self.refuse(tenant, peer)
            raise Overloaded(f"too many calls at once: those of the {full}")
        if not self._all.held:
            self._idle.clear()
        self._all.held += 1
        shares = (
            self._pairs.enter(pair),
            self._tenants.enter(tenant),
            self._peers.enter(peer),
            self._all,
        )
        self._fit(tenant)
        return Permit(self, tenant, peer, shares)

    def left(self, permit: Permit) -> None:
        """A permit is given back."""
        self._pairs.leave((permit.tenant, permit.peer))
        self._tenants.leave(permit.tenant)
        self._peers.leave(permit.peer)
        self._all.held -= 1
        if not self._all.held:
            self._idle.set()

    def refuse(self, tenant: str, peer: str) -> None:
        """Counts a call that is refused."""
        self.refused += 1
        self._pairs.refuse((tenant, peer))
        self._tenants.refuse(tenant)
        self._peers.refuse(peer)

    def charge(self, tenant: str, seconds: float) -> None:
        """Charges a tenant for slow work: while others call, it has fewer slots for a while."""
        if seconds > 0:
            self._charges.add(tenant, seconds)
            self._fit(tenant)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Gives tenants their slots again, until none is charged."""
        while self._charges:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            for tenant in self._charges.tenants():
                self._fit(tenant)

    def _fit(self, tenant: str) -> None:
        """Has a tenant run as many calls as its charges leave to it: one at least, and all while no
        other tenant calls."""
        share = self._tenants.get(tenant)
        if share is not None:
            lost = self._charges.slots_lost(tenant)
            if lost and not self._tenants.is_wanted_by_others(tenant):
                lost = 0
            share.change_most_running(max(self.limits.tenant_running - lost, 1))

    async def wait_idle(self, seconds: float) -> bool:
        """Waits until no call is held, at most so long; whether that is so."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _what_is_full(self, tenant: str, peer: str) -> str | None:
        """What holds as many calls as it may, if anything does."""
        if self._is_full(tenant):
            return "server"
        if self._tenants.is_full(tenant):
            return "domain"
        if self._peers.is_full(peer):
            return "connection"
        return "domain on the connection" if self._pairs.is_full((tenant, peer)) else None

    def _is_full(self, tenant: str) -> bool:
        """Whether all permits are held that the tenant may have: alone it leaves a quarter to
        others that may come."""
        free = self.limits.held - self._all.held
        if free > self.limits.held // 4:
            return False
        return free <= 0 or not self._tenants.has_others(tenant)

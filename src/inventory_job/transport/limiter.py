"""Limits the calls held and running, in total and for each tenant and connection.

A call takes a permit once its request message has arrived, and releases it once its response is
sent. With a permit it waits for a slot to run. It is refused with RESOURCE_EXHAUSTED if there is
no permit for it, or no slot in time. Slow work costs its tenant slots for a while
(docs/adr/0005-one-limiter.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from inventory_job.errors import Overloaded
from inventory_job.tasks import in_thread
from inventory_job.transport.shares import Charges, Latest, Share, Table

_Result = TypeVar("_Result")

LARGE_BYTES = 64 * 1024
"""Messages above this size are large: a request with 9 000 words takes 30 ms to read, a list of
1 000 jobs takes 14 ms to serialize as JSON."""
_QUICK_SECONDS = 0.1
"""Only what a call takes beyond this time is charged to its tenant."""
_LOOK_AGAIN_SECONDS = 0.25
"""How often the slots of charged tenants are recomputed."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """`held`: most calls held; while others want permits, a tenant or a connection has at most half
    of them, a tenant on one connection a quarter. `running`: most calls running at a time, half of
    them on one connection. `tenant_running`: most calls of one tenant running at a time, half of
    them on one connection. `wait_seconds`: how long a call waits for a slot."""

    held: int = 256
    running: int = 32
    tenant_running: int = 8
    wait_seconds: float = 5.0


PermitShares: TypeAlias = tuple[Share, Share, Share, Share]
"""The shares in which a call is counted, in the order in which it takes slots: its tenant on its
connection, its tenant, its connection, the whole server."""
_OF_TENANT = 2
"""How many of these, from the first, are shares of the tenant."""


class Permit:
    """The permit of one call; `leave` releases it and is idempotent."""

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
        """Waits for a slot in every share; raises Overloaded when that takes too long."""
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
        """Returns or raises what `work` does, which reads or writes a message of `size` bytes.

        A large message is processed in a thread, so as not to block the event loop, and for one
        call of the tenant at a time, since that takes ten times the memory of the message.
        """
        if size <= LARGE_BYTES:
            return work()
        clock = self._limiter.clock
        comes_at = clock()
        _, of_tenant, _, _ = self._shares
        async with of_tenant.turn:
            # The wait for the lock is not charged to the tenant.
            self._begun_at += clock() - comes_at
            return await in_thread(work)

    def stop(self, *, is_large: bool = False) -> None:
        """Releases the slots of the call, whose response is not yet sent, and charges its tenant
        for the time in which it ran. If the response is large, the call keeps the slots of its
        tenant until `leave`: so a tenant whose clients do not read has few such responses in
        memory, and holds up no other tenant."""
        if self._running == len(self._shares):
            seconds = self._limiter.clock() - self._begun_at
            self._limiter.charge(self.tenant, seconds - _QUICK_SECONDS)
        kept = _OF_TENANT if is_large else 0
        for share in self._shares[kept : self._running]:
            share.leave()
        self._running = min(self._running, kept)

    def leave(self) -> None:
        """Releases the permit: the response is sent, or the call has ended without one."""
        self.stop()
        if self._is_held:
            self._is_held = False
            for share in self._shares:
                share.release()


class Limiter:
    """Issues permits to calls, for one event loop. `clock` is monotonic, in seconds."""

    def __init__(self, limits: CallLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self.refused = 0
        """How many calls were refused since the start."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._all = Share(limits.running, clock, self._idle.set)
        self._tenants = Table(limits.held // 2, limits.tenant_running, clock)
        self._peers = Table(limits.held // 2, max(limits.running // 2, 1), clock)
        # One connection may carry many tenants; none of them may hold up the others.
        self._pairs = Table(limits.held // 4, max(limits.tenant_running // 2, 1), clock)
        self._called = Latest(clock)
        self._charges = Charges(limits.tenant_running, clock)
        self._looking: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        """How many calls are held now."""
        return self._all.held

    def enter(self, tenant: str, peer: str) -> Permit:
        """A permit for a call of `tenant` on the connection `peer`; raises Overloaded."""
        if full := self._what_is_full(tenant, peer):
            self.refuse(tenant, peer)
            raise Overloaded(f"too many calls at once: those of the {full}")
        self._idle.clear()
        self._all.held += 1
        shares = (
            self._pairs.enter((tenant, peer)),
            self._tenants.enter(tenant),
            self._peers.enter(peer),
            self._all,
        )
        self._called.note(tenant)
        self._fit(tenant)
        return Permit(self, tenant, peer, shares)

    def refuse(self, tenant: str, peer: str) -> None:
        """Counts a refused call."""
        self.refused += 1
        self._pairs.refuse((tenant, peer))
        self._tenants.refuse(tenant)
        self._peers.refuse(peer)

    def charge(self, tenant: str, seconds: float) -> None:
        """Charges a tenant for slow work: it has fewer slots for a while, if others call."""
        if seconds > 0:
            self._charges.add(tenant, seconds)
            self._fit(tenant)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Restores the slots of tenants as their charges decay, until none is charged."""
        while tenants := self._charges.tenants():
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            for tenant in tenants:
                self._fit(tenant)

    def _fit(self, tenant: str) -> None:
        """Sets the slots of a tenant: those that its charge leaves, at least one, or all of them
        while no other tenant calls or wants a permit."""
        share = self._tenants.get(tenant)
        if share is not None:
            is_alone = not (self._called.is_of_others(tenant) or self._tenants.has_others(tenant))
            lost = 0 if is_alone else self._charges.slots_lost(tenant)
            share.change_most_running(max(self.limits.tenant_running - lost, 1))

    async def wait_idle(self, seconds: float) -> None:
        """Waits until no call is held, for at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def _what_is_full(self, tenant: str, peer: str) -> str | None:
        """What has reached its limit of permits, in words for the client; None if nothing has."""
        # A tenant that calls alone leaves a quarter of them free for the next one.
        is_alone = not self._tenants.has_others(tenant)
        spare = self.limits.held // 4 if is_alone else 0
        if self._all.held >= self.limits.held - spare:
            return "server"
        if self._tenants.is_full(tenant):
            return "domain"
        if self._peers.is_full(peer):
            return "connection"
        return "domain on the connection" if self._pairs.is_full((tenant, peer)) else None

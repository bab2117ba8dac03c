"""The limiter, whatever the order in which calls come, run, end and are cancelled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from inventory_job.errors import Overloaded
from inventory_job.transport.limiter import CallLimits, Limiter, Permit
from tests.support.limiter import Clock, cancelled, entered, settle, started

Key = TypeVar("Key", str, tuple[str, str])


@dataclass
class Held:
    """A call that holds a permit, and the task in which it waits to run."""

    caller: tuple[str, str]
    permit: Permit
    task: asyncio.Task[None] | None = None
    is_stopped: bool = False

    @property
    def runs(self) -> bool:
        if self.task is None or not self.task.done() or self.is_stopped:
            return False
        return not self.task.cancelled() and self.task.exception() is None

    @property
    def waits(self) -> bool:
        return self.task is not None and not self.task.done()


def chosen(which: int, calls: list[Held]) -> Held | None:
    return calls[which % len(calls)] if calls else None


class Model:
    """What must hold of a limiter, step by step."""

    def __init__(self, wait_seconds: float) -> None:
        self.limits = CallLimits(held=8, running=3, tenant_running=2, wait_seconds=wait_seconds)
        self.clock = Clock()
        self.limiter = Limiter(self.limits, self.clock)
        self.calls: list[Held] = []
        self.refused: dict[str | tuple[str, str], float] = {}
        """When each tenant, each connection and each tenant on a connection was refused last."""
        self.refusals = 0
        self.queue: list[Held] = []
        """Calls that began to wait, in that order."""

    async def do(self, action: str, which: int, caller: tuple[str, str]) -> None:
        if action == "enter":
            self.enter(caller)
        elif action == "pass":
            self.clock.now += which / 4
        elif action == "cancel":
            if call := chosen(which, [call for call in self.calls if call.waits]):
                assert call.task is not None
                call.task.cancel()
        elif action == "run":
            if call := chosen(which, [call for call in self.calls if call.task is None]):
                call.task = started(call.permit.run())
                self.queue.append(call)
        elif action == "stop":
            if call := chosen(which, [call for call in self.calls if call.runs]):
                call.permit.stop()
                call.is_stopped = True
        elif call := chosen(which, [call for call in self.calls if not call.waits]):
            call.permit.leave()
            self.calls.remove(call)

    def enter(self, caller: tuple[str, str]) -> None:
        expected = self.may_enter(*caller)
        try:
            permit = self.limiter.enter(*caller)
        except Overloaded:
            assert not expected
            self.note_refusal(caller)
        else:
            assert expected
            self.calls.append(Held(caller, permit))

    def may_enter(self, tenant: str, peer: str) -> bool:
        tenants = Counter(call.caller[0] for call in self.calls)
        peers = Counter(call.caller[1] for call in self.calls)
        pairs = Counter(call.caller for call in self.calls)
        all_pairs = {(a_tenant, a_peer) for a_tenant in "ab" for a_peer in "pqr"}
        held = len(self.calls)
        other_tenants = self.wants("ab", tenants, tenant)
        if held >= (8 if other_tenants else 6):
            return False
        if other_tenants and tenants[tenant] >= 4:
            return False
        if self.wants("pqr", peers, peer) and peers[peer] >= 4:
            return False
        other_pairs = self.wants(all_pairs, pairs, (tenant, peer))
        return not (other_pairs and pairs[tenant, peer] >= 2)

    def wants(self, keys: Iterable[Key], holding: Counter[Key], but: Key) -> bool:
        """Whether others than `but` hold permits or were refused within a second."""
        recent = {key for key, at in self.refused.items() if self.clock.now - at < 1}
        return any(holding[key] or key in recent for key in keys if key != but)

    def note_refusal(self, caller: tuple[str, str]) -> None:
        self.refused.update(dict.fromkeys((*caller, caller), self.clock.now))
        self.refusals += 1

    def check(self) -> None:
        for call in self.calls:
            task = call.task
            if task and task.done() and not task.cancelled() and task.exception():
                assert isinstance(task.exception(), Overloaded)
                self.note_refusal(call.caller)
                call.task = None  # it may try again
        assert self.limiter.held == len(self.calls)
        assert self.limiter.refused == self.refusals
        running = [call.caller for call in self.calls if call.runs]
        by_tenant = Counter(tenant for tenant, _ in running)
        by_peer = Counter(peer for _, peer in running)
        assert len(running) <= 3
        assert max(by_tenant.values(), default=0) <= 2
        assert max(by_peer.values(), default=0) <= 1
        if any(call.waits for call in self.calls):
            assert len(running) == 3 or 2 in by_tenant.values() or 1 in by_peer.values()
        self.check_order()

    def check_order(self) -> None:
        """No call runs while an older one of the same tenant and connection waits."""
        waiting: set[tuple[str, str]] = set()
        for call in self.queue:
            if call.waits:
                waiting.add(call.caller)
            elif call.runs and call in self.calls:
                assert call.caller not in waiting

    async def end(self) -> None:
        await cancelled([call.task for call in self.calls if call.task])
        for call in self.calls:
            call.permit.leave()
        assert self.limiter.held == 0
        async with asyncio.timeout(1):
            await self.limiter.wait_idle(60)
        self.clock.now += 1
        permits = [self.limiter.enter("c", peer) for peer in "xyz"]
        async with asyncio.timeout(5):
            await permits[0].run()
            await permits[1].run()
        assert len(permits) + len(entered(self.limiter, "c")) == 5  # a connection's quarter is full
        other = self.limiter.enter("d", "w")
        async with asyncio.timeout(5):
            await other.run()


ACTIONS = st.sampled_from(["enter", "enter", "run", "run", "leave", "cancel", "stop", "pass"])
CALLERS = st.tuples(st.sampled_from("ab"), st.sampled_from("pqr"))
STEPS = st.lists(st.tuples(ACTIONS, st.integers(0, 9), CALLERS, st.booleans()), max_size=40)


@given(STEPS, st.sampled_from([0.0, 1000.0]))
def test_counts_are_right_whatever_the_order(
    steps: list[tuple[str, int, tuple[str, str], bool]], wait_seconds: float
) -> None:
    async def run() -> None:
        model = Model(wait_seconds)
        for action, which, caller, settles in steps:
            # Some steps meet calls that were just woken or cancelled.
            await model.do(action, which, caller)
            if settles:
                await settle()
                model.check()
        await settle()
        model.check()
        await model.end()

    asyncio.run(run())

"""The limiter: how many calls are held and run, and how they share the server."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_job.errors import Overloaded
from inventory_job.transport.limiter import Limiter, Limits, Permit

LIMITS = Limits(held=16, running=4, tenant_running=2, wait_seconds=30)
FEW_PEERS = ("p1", "p2", "p3", "p4", "p5")


class Clock:
    """Seconds that pass when set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def entered(limiter: Limiter, tenant: str, peers: tuple[str, ...] = ("p",)) -> list[Permit]:
    """All the permits that a tenant gets, on these connections in turn."""
    permits: list[Permit] = []
    with suppress(Overloaded):
        while True:
            permits.append(limiter.enter(tenant, peers[len(permits) % len(peers)]))
    return permits


async def settle() -> None:
    """Lets every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def started(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)


# How many are held


def test_a_tenant_alone_leaves_a_quarter_to_others() -> None:
    assert len(entered(Limiter(LIMITS), "a")) == 12


def test_a_tenant_has_half_while_another_holds_permits() -> None:
    limiter = Limiter(LIMITS)
    limiter.enter("b", "q")

    assert len(entered(limiter, "a", FEW_PEERS)) == 8


def test_a_connection_has_a_quarter_while_another_holds_permits() -> None:
    limiter = Limiter(LIMITS)
    limiter.enter("a", "q")

    assert len(entered(limiter, "a")) == 4


def test_a_tenant_has_half_for_a_second_after_another_was_refused() -> None:
    clock = Clock()
    limiter = Limiter(LIMITS, clock)
    permits = [*entered(limiter, "a"), *entered(limiter, "b", FEW_PEERS)]
    assert len(permits) == 16
    with pytest.raises(Overloaded):
        limiter.enter("c", "r")
    for permit in permits:
        permit.leave()

    assert len(entered(limiter, "a", FEW_PEERS)) == 8
    clock.now += 1.0
    assert len(entered(limiter, "a", FEW_PEERS)) == 4


def test_a_tenant_of_which_calls_were_refused_is_no_other_to_itself() -> None:
    limiter = Limiter(LIMITS)
    permits = entered(limiter, "a")
    with pytest.raises(Overloaded):
        limiter.enter("a", "p")
    for permit in permits:
        permit.leave()

    assert len(entered(limiter, "a")) == 12


def test_no_more_are_held_than_the_limit() -> None:
    limiter = Limiter(LIMITS)

    held = sum(len(entered(limiter, tenant, FEW_PEERS)) for tenant in "abcd")

    assert held == limiter.held == 16
    assert limiter.refused == 4


def test_a_permit_that_is_given_back_twice_counts_once() -> None:
    limiter = Limiter(LIMITS)
    first, _ = limiter.enter("a", "p"), limiter.enter("a", "p")

    first.leave()
    first.leave()

    assert limiter.held == 1


def test_what_was_refused_on_connections_that_are_gone_is_forgotten() -> None:
    clock = Clock()
    limiter = Limiter(LIMITS, clock)
    permits = [*entered(limiter, "a"), *entered(limiter, "b", FEW_PEERS)]

    def refuse(count: int) -> None:
        for number in range(count):
            clock.now += 0.1
            with suppress(Overloaded):
                limiter.enter(f"tenant-{number}", f"192.0.2.1:{number}")

    refuse(100)
    tracemalloc.start()
    try:
        refuse(5000)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(permits) == 16
    assert grown < 20_000


# How many run


def test_calls_run_as_far_as_their_connection_their_tenant_and_all_have_room() -> None:
    async def run() -> None:
        limiter = Limiter(LIMITS)
        callers = [("a", "p1"), ("a", "p1"), ("a", "p2"), ("a", "p3"), ("b", "q1"), ("b", "q2")]
        callers += [("c", "r1"), ("d", "s1")]
        tasks = [started(limiter.enter(*caller).run()) for caller in callers]
        await settle()

        runs = [caller for caller, task in zip(callers, tasks, strict=True) if task.done()]

        assert runs == [("a", "p1"), ("a", "p2"), ("b", "q1"), ("b", "q2")]
        await cancelled(tasks)

    asyncio.run(run())


def test_calls_that_wait_run_in_the_order_in_which_they_came() -> None:
    async def run() -> None:
        limiter = Limiter(LIMITS)
        permits = [limiter.enter("a", "p") for _ in range(5)]
        order: list[int] = []

        async def call(number: int) -> None:
            await permits[number].run()
            order.append(number)
            await asyncio.sleep(0)
            permits[number].leave()

        await asyncio.gather(*map(call, range(5)))

        assert order == [0, 1, 2, 3, 4]
        assert limiter.held == 0

    asyncio.run(run())


def test_a_call_that_came_later_does_not_pass_one_that_is_about_to_run() -> None:
    async def run() -> None:
        limiter = Limiter(LIMITS)
        running, waiting, late = (limiter.enter("a", "p") for _ in range(3))
        await running.run()
        first = started(waiting.run())
        await settle()

        running.leave()
        second = started(late.run())
        await settle()

        assert first.done()
        assert not second.done()
        await cancelled([second])

    asyncio.run(run())


def test_a_call_whose_answer_is_on_its_way_is_held_but_does_not_run() -> None:
    async def run() -> None:
        limiter = Limiter(LIMITS)
        first, second = limiter.enter("a", "p"), limiter.enter("a", "p")
        await first.run()

        first.stop()
        await asyncio.wait_for(second.run(), 1)

        assert limiter.held == 2

    asyncio.run(run())


@pytest.mark.parametrize("when", ["waiting", "about to run"])
def test_a_call_that_is_cancelled_gives_its_turn_to_the_next(when: str) -> None:
    async def run() -> None:
        limiter = Limiter(LIMITS)
        running, given_up, following = (limiter.enter("a", "p") for _ in range(3))
        await running.run()
        tasks = [started(given_up.run()), started(following.run())]
        await settle()

        if when == "about to run":
            running.leave()
            tasks[0].cancel()
        else:
            tasks[0].cancel()
            running.leave()
        await settle()
        given_up.leave()

        assert tasks[0].cancelled()
        await asyncio.wait_for(tasks[1], 1)
        following.leave()
        assert limiter.held == 0

    asyncio.run(run())


def test_a_call_that_waits_too_long_is_refused() -> None:
    async def run() -> None:
        limiter = Limiter(Limits(held=16, running=4, tenant_running=2, wait_seconds=0.02))
        running, waiting = limiter.enter("a", "p"), limiter.enter("a", "p")
        await running.run()

        with pytest.raises(Overloaded):
            await waiting.run()

        assert limiter.refused == 1
        running.stop()
        await asyncio.wait_for(waiting.run(), 1)

    asyncio.run(run())


async def waited(permit: Permit, seconds: float) -> bool:
    """Whether the call waits for so long at least; a call that is refused before does not."""
    task = started(permit.run())
    done, _ = await asyncio.wait([task], timeout=seconds)
    await cancelled([task])
    return not done


@pytest.mark.parametrize("also", ["connection", "tenant", "all"])
def test_calls_wait_only_briefly_in_a_queue_that_is_there_for_a_second(also: str) -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(LIMITS, clock)
        callers = {"connection": ["ap", "ap"], "tenant": ["ap", "aq", "ar"]}
        callers["all"] = ["ap", "aq", "br", "bs", "ct"]
        permits = [limiter.enter(*caller) for caller in callers[also]]
        tasks = [started(permit.run()) for permit in permits]
        await settle()
        assert [task.done() for task in tasks] == [True] * (len(tasks) - 1) + [False]
        clock.now += 1.1

        began = time.monotonic()
        with pytest.raises(Overloaded):
            await limiter.enter(*callers[also][-1]).run()

        assert 0.05 < time.monotonic() - began < 5
        assert not tasks[-1].done(), "it came while the queue was a burst"
        await cancelled(tasks)

    asyncio.run(run())


def test_calls_that_run_for_long_are_no_queue() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(LIMITS, clock)
        running, waiting = limiter.enter("a", "p"), limiter.enter("a", "p")
        await running.run()
        clock.now += 10

        assert await waited(waiting, 0.2)

    asyncio.run(run())


def test_a_queue_that_was_empty_is_a_burst_again() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(LIMITS, clock)
        permits = [limiter.enter("a", "p") for _ in range(4)]
        await permits[0].run()
        first = started(permits[1].run())
        await settle()
        clock.now += 10
        permits[0].leave()
        await first

        second = started(permits[2].run())
        await settle()
        clock.now += 0.5

        assert await waited(permits[3], 0.2)
        await cancelled([second])

    asyncio.run(run())


def test_the_standing_queue_of_a_tenant_does_not_shorten_the_wait_of_others() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(LIMITS, clock)
        callers = ["ap", "aq", "ar", "bs", "bt"]
        tasks = [started(limiter.enter(*caller).run()) for caller in callers]
        await settle()
        assert [task.done() for task in tasks] == [True, True, False, True, True]
        clock.now += 10

        assert await waited(limiter.enter("c", "u"), 0.2)
        await cancelled(tasks)

    asyncio.run(run())


def test_waiting_for_the_end_of_all_calls() -> None:
    async def run() -> None:
        limiter = Limiter(LIMITS)
        assert await limiter.wait_idle(0.01)
        permit = limiter.enter("a", "p")
        assert not await limiter.wait_idle(0.01)

        asyncio.get_running_loop().call_later(0.01, permit.leave)

        assert await limiter.wait_idle(5)

    asyncio.run(run())


# Whatever the order


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
        self.limits = Limits(held=8, running=3, tenant_running=2, wait_seconds=wait_seconds)
        self.clock = Clock()
        self.limiter = Limiter(self.limits, self.clock)
        self.calls: list[Held] = []
        self.refused: dict[str, float] = {}
        """When each tenant and each connection was refused last; their names differ."""
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
        held = len(self.calls)
        other_tenants = self.wants("ab", tenants, tenant)
        if held >= (8 if other_tenants else 6):
            return False
        if other_tenants and tenants[tenant] >= 4:
            return False
        return not (self.wants("pqr", peers, peer) and peers[peer] >= 2)

    def wants(self, keys: str, holding: Counter[str], but: str) -> bool:
        """Whether others than `but` hold permits or were refused within a second."""
        recent = {key for key, at in self.refused.items() if self.clock.now - at < 1}
        return any(holding[key] or key in recent for key in keys if key != but)

    def note_refusal(self, caller: tuple[str, str]) -> None:
        self.refused.update(dict.fromkeys(caller, self.clock.now))
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
        assert await self.limiter.wait_idle(1)
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

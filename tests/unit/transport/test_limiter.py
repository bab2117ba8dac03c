"""The limiter: how many calls are held and run, and how they share the server."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from contextlib import suppress

import pytest

from inventory_job.errors import Overloaded
from inventory_job.transport.limiter import Limiter, Limits, Permit
from tests.support.limiter import Clock, cancelled, entered, settle, started

LIMITS = Limits(held=16, running=4, tenant_running=2, wait_seconds=30)
FEW_PEERS = ("p1", "p2", "p3", "p4", "p5")


# How many are held


def test_a_tenant_alone_leaves_a_quarter_to_others() -> None:
    assert len(entered(Limiter(LIMITS), "a")) == 12


def test_a_tenant_has_half_while_another_holds_permits() -> None:
    limiter = Limiter(LIMITS)
    limiter.enter("b", "q")

    assert len(entered(limiter, "a", FEW_PEERS)) == 8


def test_a_tenant_has_a_quarter_on_a_connection_while_another_holds_permits() -> None:
    limiter = Limiter(LIMITS)
    limiter.enter("a", "q")

    assert len(entered(limiter, "a")) == 4


def test_a_connection_of_many_tenants_has_half_while_another_holds_permits() -> None:
    limiter = Limiter(LIMITS)
    limiter.enter("d", "q")

    held = [len(entered(limiter, tenant)) for tenant in "abc"]

    assert held == [4, 4, 0]


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


def test_calls_run_within_the_limits_of_their_connection_their_tenant_and_all() -> None:
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


def test_tenants_on_one_connection_run_as_those_on_their_own_up_to_half_of_all() -> None:
    async def run() -> None:
        limiter = Limiter(Limits(held=64, running=12, tenant_running=4))
        callers = [(tenant, "gateway") for tenant in "abcd" for _ in range(3)]
        tasks = [started(limiter.enter(*caller).run()) for caller in callers]
        await settle()

        runs = "".join(t for (t, _), task in zip(callers, tasks, strict=True) if task.done())

        assert runs == "aabbcc"
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


def test_a_call_that_needs_two_places_is_not_passed_by_those_that_need_one() -> None:
    async def run() -> None:
        limiter = Limiter(LIMITS)
        # As many as may run: of the tenant a, and on the connection p.
        callers = [("a", "q"), ("a", "r"), ("b", "p"), ("c", "p")]
        running = [limiter.enter(*caller) for caller in callers]
        for permit in running:
            await permit.run()
        waiting = started(limiter.enter("a", "p").run())
        await settle()
        later = [limiter.enter(*caller) for caller in callers]
        tasks = [started(permit.run()) for permit in later]

        for permit in running:
            await settle()
            permit.leave()
        await settle()

        assert waiting.done()
        await cancelled([waiting, *tasks])

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
def test_a_call_that_is_cancelled_gives_its_slot_to_the_next(when: str) -> None:
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


# What slow work costs


async def worked(limiter: Limiter, clock: Clock, tenant: str, seconds: float) -> None:
    """A call of the tenant that takes so long."""
    permit = limiter.enter(tenant, f"{tenant}-{clock.now}")
    await permit.run()
    clock.now += seconds
    permit.charge()
    permit.leave()


async def runs_now(limiter: Limiter, tenant: str) -> int:
    """How many of a dozen calls of the tenant, each on a connection of its own, run."""
    permits = [limiter.enter(tenant, f"{tenant}{number}") for number in range(12)]
    tasks = [started(permit.run()) for permit in permits]
    await settle()
    running = sum(task.done() for task in tasks)
    await cancelled(tasks)
    for permit in permits:
        permit.leave()
    return running


@pytest.mark.parametrize(
    ("seconds", "later", "expected"),
    [(0.1, 0, 8), (2.7, 0, 7), (10.2, 0, 4), (10.2, 10, 6), (100, 0, 1), (1000, 10, 4)],
)
def test_slow_work_costs_a_tenant_slots_for_a_while(
    seconds: float, later: float, expected: int
) -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(Limits(), clock)
        await worked(limiter, clock, "slow", seconds)
        clock.now += later
        limiter.enter("other", "o")

        assert await runs_now(limiter, "slow") == expected
        assert await runs_now(limiter, "third") == 8

    asyncio.run(run())


def test_slow_work_costs_nothing_while_there_are_no_others() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(Limits(), clock)
        await worked(limiter, clock, "other", 0)
        await worked(limiter, clock, "slow", 100)

        assert await runs_now(limiter, "slow") == 8

    asyncio.run(run())


def test_others_that_called_a_moment_ago_want_slots_too() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(Limits(), clock)
        await worked(limiter, clock, "slow", 100)
        await worked(limiter, clock, "other", 0)
        clock.now += 0.9

        assert await runs_now(limiter, "slow") == 1

    asyncio.run(run())


def test_short_calls_are_charged_all_together() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(Limits(), clock)
        limiter.enter("other", "o")
        for _ in range(100):
            await worked(limiter, clock, "slow", 0.9)

        assert await runs_now(limiter, "slow") < 8

    asyncio.run(run())


def test_calls_that_wait_run_once_their_tenant_has_its_slots_again() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(Limits(wait_seconds=30), clock)
        await worked(limiter, clock, "slow", 100)
        other = limiter.enter("other", "o")
        permits = [limiter.enter("slow", f"p{number}") for number in range(3)]
        tasks = [started(permit.run()) for permit in permits]
        await settle()
        assert [task.done() for task in tasks] == [True, False, False]

        clock.now += 2
        other.leave()

        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)

    asyncio.run(run())


def test_a_call_that_ends_costs_the_same_however_many_wait() -> None:
    async def run() -> None:
        looks = 0

        def clock() -> float:
            nonlocal looks
            looks += 1
            return 1000.0

        limiter = Limiter(Limits(), clock)
        # What is left to a tenant that is charged is worked out by the clock.
        limiter.charge("slow", 100)
        permits = entered(limiter, "slow", FEW_PEERS)
        assert len(permits) > 150
        tasks = [started(permit.run()) for permit in permits]
        await settle()
        ending = next(permit for permit, task in zip(permits, tasks, strict=True) if task.done())
        waiting = sum(not task.done() for task in tasks)
        looks = 0

        ending.stop()
        ending.leave()
        await settle()

        assert waiting - sum(not task.done() for task in tasks) == 1
        assert looks < 20
        await cancelled(tasks)

    asyncio.run(run())

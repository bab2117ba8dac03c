"""The limiter: how many calls run, and how the others wait for a slot."""

from __future__ import annotations

import asyncio
import time

import pytest

from inventory_job.errors import Overloaded
from inventory_job.transport.limiter import CallLimits, Limiter, Permit
from tests.support.limiter import Clock, cancelled, entered, settle, started

LIMITS = CallLimits(held=16, running=4, tenant_running=2, wait_seconds=30)


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
        limiter = Limiter(CallLimits(held=64, running=12, tenant_running=4))
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
        limiter = Limiter(CallLimits(held=16, running=4, tenant_running=2, wait_seconds=0.02))
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
        async with asyncio.timeout(5):
            await limiter.wait_idle(60)
        permit = limiter.enter("a", "p")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await limiter.wait_idle(60)

        asyncio.get_running_loop().call_later(0.01, permit.leave)

        async with asyncio.timeout(5):
            await limiter.wait_idle(60)
        assert limiter.held == 0

    asyncio.run(run())


def test_a_call_that_ends_costs_the_same_however_many_wait() -> None:
    async def run() -> None:
        looks = 0

        def clock() -> float:
            nonlocal looks
            looks += 1
            return 1000.0

        limiter = Limiter(CallLimits(), clock)
        # What is left to a tenant that is charged is worked out by the clock.
        limiter.charge("slow", 100)
        permits = entered(limiter, "slow", ("p1", "p2", "p3", "p4", "p5"))
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

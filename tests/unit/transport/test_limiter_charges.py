"""The limiter: what slow work costs a tenant."""

from __future__ import annotations

import asyncio

import pytest

from inventory_job.transport.limiter import CallLimits, Limiter
from tests.support.limiter import Clock, cancelled, settle, started


async def worked(limiter: Limiter, clock: Clock, tenant: str, seconds: float) -> None:
    """A call of the tenant that takes so long."""
    permit = limiter.enter(tenant, f"{tenant}-{clock.now}")
    await permit.run()
    clock.now += seconds
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
        limiter = Limiter(CallLimits(), clock)
        await worked(limiter, clock, "slow", seconds)
        clock.now += later
        limiter.enter("other", "o")

        assert await runs_now(limiter, "slow") == expected
        assert await runs_now(limiter, "third") == 8

    asyncio.run(run())


def test_slow_work_costs_nothing_while_there_are_no_others() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(CallLimits(), clock)
        await worked(limiter, clock, "other", 0)
        await worked(limiter, clock, "slow", 100)

        assert await runs_now(limiter, "slow") == 8

    asyncio.run(run())


def test_others_that_called_a_moment_ago_want_slots_too() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(CallLimits(), clock)
        await worked(limiter, clock, "slow", 100)
        await worked(limiter, clock, "other", 0)
        clock.now += 0.9

        assert await runs_now(limiter, "slow") == 1

    asyncio.run(run())


def test_short_calls_are_charged_all_together() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(CallLimits(), clock)
        limiter.enter("other", "o")
        for _ in range(100):
            await worked(limiter, clock, "slow", 0.9)

        assert await runs_now(limiter, "slow") < 8

    asyncio.run(run())


def test_calls_that_wait_run_once_their_tenant_has_its_slots_again() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = Limiter(CallLimits(wait_seconds=30), clock)
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

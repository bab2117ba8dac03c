"""Work on large messages: in a thread, for one call of a tenant at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from inventory_job.transport.limiter import LARGE_BYTES, CallLimits, Limiter
from tests.support.limiter import Clock, settle
from tests.support.loops import in_loop


class Work:
    """Work that goes on until it is let end; notes the thread that does it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self) -> str:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.may_end.wait(10)
        return "done"

    async def has_begun(self) -> bool:
        """Waits for its beginning."""
        return await asyncio.to_thread(self.begun.wait, 10)


@pytest.mark.parametrize(("size", "is_beside"), [(LARGE_BYTES, False), (LARGE_BYTES + 1, True)])
@in_loop
async def test_only_large_messages_are_worked_on_beside_the_event_loop(
    size: int, is_beside: bool
) -> None:
    permit, work = Limiter(CallLimits()).enter("a", "p"), Work()
    work.may_end.set()

    assert await permit.work(size, work) == "done"
    assert (work.thread is not threading.current_thread()) is is_beside


@in_loop
async def test_one_call_of_a_tenant_at_a_time_works_on_a_large_message() -> None:
    limiter = Limiter(CallLimits())
    first, second, other = Work(), Work(), Work()
    tasks = [
        asyncio.create_task(limiter.enter(tenant, "p").work(LARGE_BYTES + 1, work))
        for tenant, work in (("a", first), ("a", second), ("b", other))
    ]
    assert await first.has_begun()
    assert await other.has_begun()
    await settle()
    assert not second.begun.is_set()

    first.may_end.set()

    assert await second.has_begun()
    for work in (second, other):
        work.may_end.set()
    assert await asyncio.gather(*tasks) == ["done"] * 3


@in_loop
async def test_a_cancelled_call_has_its_turn_until_its_work_has_ended() -> None:
    limiter = Limiter(CallLimits())
    first, second = Work(), Work()
    cancelled = asyncio.create_task(limiter.enter("a", "p").work(LARGE_BYTES + 1, first))
    assert await first.has_begun()
    following = asyncio.create_task(limiter.enter("a", "p").work(LARGE_BYTES + 1, second))
    await settle()

    cancelled.cancel()
    await settle()
    assert not cancelled.done()
    assert not second.begun.is_set()

    first.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    second.may_end.set()
    assert await following == "done"


@in_loop
async def test_work_that_fails_gives_its_turn_back() -> None:
    def fails() -> str:
        raise ValueError("no good")

    permit = Limiter(CallLimits()).enter("a", "p")
    for _ in range(2):
        with pytest.raises(ValueError, match="no good"):
            await permit.work(LARGE_BYTES + 1, fails)


@in_loop
async def test_waiting_for_a_turn_is_not_charged() -> None:
    clock = Clock()
    limiter = Limiter(CallLimits(tenant_running=2), clock)
    limiter.enter("b", "q")
    first, second = Work(), Work()
    permit = limiter.enter("a", "p1")
    tasks = [asyncio.create_task(limiter.enter("a", "p2").work(LARGE_BYTES + 1, first))]
    assert await first.has_begun()
    await permit.run()
    tasks.append(asyncio.create_task(permit.work(LARGE_BYTES + 1, second)))
    await settle()

    clock.now += 60
    first.may_end.set()
    second.may_end.set()
    await asyncio.gather(*tasks)
    permit.leave()

    async with asyncio.timeout(1):
        for peer in ("p3", "p4"):
            await limiter.enter("a", peer).run()

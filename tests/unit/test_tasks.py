"""Work that is waited for ends with what waits, also where its cancellation is lost."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from inventory_job.tasks import end, ending_with_caller, in_background
from tests.support.loops import in_loop


@in_loop
async def test_what_work_gives_or_raises_is_passed_on() -> None:
    async def gives() -> int:
        await asyncio.sleep(0)
        return 7

    async def fails() -> int:
        raise ValueError("no good")

    assert await ending_with_caller(gives()) == 7
    with pytest.raises(ValueError, match="no good"):
        await ending_with_caller(fails())


@pytest.mark.parametrize("lost", [0, 1, 3])
@in_loop
async def test_a_cancelled_call_ends_once_its_work_has_ended(lost: int) -> None:
    cancellations = 0
    ended = False

    async def work() -> None:
        nonlocal cancellations, ended
        try:
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    cancellations += 1
                    if cancellations > lost:
                        raise
        finally:
            ended = True

    call = asyncio.create_task(ending_with_caller(work()))
    await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert ended
    assert cancellations == lost + 1
    assert call.cancelled()


@in_loop
async def test_a_time_limit_ends_the_work_as_well() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ending_with_caller(work())

    assert ended.is_set()


@in_loop
async def test_work_whose_cancellation_is_lost_once_is_ended_all_the_same() -> None:
    cancellations = 0

    async def work() -> None:
        nonlocal cancellations
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancellations += 1
                if cancellations > 1:
                    raise

    async with asyncio.timeout(10):
        task = in_background(work())
        await asyncio.sleep(0)
        await end([task])

    assert cancellations == 2


@in_loop
async def test_background_work_that_fails_is_logged() -> None:
    async def work() -> None:
        raise ValueError("no good")

    with capture_logs() as entries:
        in_background(work())
        await asyncio.sleep(0.01)

    assert [entry["event"] for entry in entries] == ["background work failed"]

"""Work that is waited for ends with what waits, also where its cancellation is lost."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest
from structlog.testing import capture_logs

from inventory_job.tasks import end, ending_with_caller, in_background, in_thread
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
async def test_an_error_that_comes_instead_of_a_cancellation_is_not_logged() -> None:
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise ValueError("no good") from None

    async def cancel() -> None:
        call = asyncio.create_task(ending_with_caller(work()))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait([call])

    await cancel()
    gc.collect()
    assert unhandled == []


@in_loop
async def test_errors_of_work_are_not_kept() -> None:
    class Error(Exception):
        pass

    async def fails() -> None:
        raise Error

    def fails_in_thread() -> None:
        raise Error

    kept: list[weakref.ref[Error]] = []
    gc.disable()
    try:
        for waiting in (ending_with_caller(fails()), in_thread(fails_in_thread)):
            try:
                await waiting
            except Error as error:
                kept.append(weakref.ref(error))
        assert [each() for each in kept] == [None, None]
    finally:
        gc.enable()


@in_loop
async def test_a_call_waits_for_its_thread_however_often_it_is_cancelled() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_end.wait(10)

    call = asyncio.create_task(in_thread(work))
    assert await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        call.cancel()
        await asyncio.sleep(0.01)
        assert not call.done()

    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await call


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

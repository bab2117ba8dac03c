"""Work beside calls ends with the server."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from inventory_job.app.background import Background
from tests.loops import in_loop


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
        async with Background() as background:
            background.start(work())
            await asyncio.sleep(0)

    assert cancellations == 2


@in_loop
async def test_work_that_fails_is_logged() -> None:
    async def work() -> None:
        raise ValueError("no good")

    with capture_logs() as entries:
        async with Background() as background:
            background.start(work())
            await asyncio.sleep(0.01)

    assert [entry["event"] for entry in entries] == ["background work failed"]

"""Calls that end while there is no server, at the moments at which the driver looks for one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from inventory_job.model.client import Database
from tests.support.loops import in_loop

NOWHERE = "mongodb://127.0.0.1:9/?replicaSet=nowhere"
_LOOKS_SECONDS = 0.45
"""A little less than the time between two looks of the driver."""


@pytest.mark.parametrize("options", ["", "&serverSelectionTimeoutMS=1000&waitQueueTimeoutMS=500"])
@in_loop
async def test_calls_that_end_leave_the_driver_no_lock_taken(options: str) -> None:
    database = Database(NOWHERE + options, "inventory", server_selection_seconds=1.0)

    async def find() -> Any:
        return await database.with_server(lambda: database.jobs.find_one({}))

    try:
        for _ in range(3):
            calls = [asyncio.create_task(find()) for _ in range(200)]
            await asyncio.sleep(_LOOKS_SECONDS)
            for call in calls:
                call.cancel()
                await asyncio.sleep(0.0005)
            _, left = await asyncio.wait(calls, timeout=5)
            assert not left

        async with asyncio.timeout(5):
            with pytest.raises(ServerSelectionTimeoutError):
                await find()
    finally:
        await asyncio.wait_for(database.close(), 5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("said", "else_"), [("100", 60.0), ("no number", 0.1), ("nan", 0.1), ("inf", 0.1), ("-1", 0.1)]
)
@in_loop
async def test_a_connection_string_says_how_long_to_look_for_a_server(
    said: str, else_: float
) -> None:
    uri = f"{NOWHERE}&ServerSelectionTimeoutMS={said}"
    database = Database(uri, "inventory", server_selection_seconds=else_)
    try:
        async with asyncio.timeout(3):
            with pytest.raises(ServerSelectionTimeoutError):
                await database.with_server(lambda: database.jobs.find_one({}))
    finally:
        await database.close()

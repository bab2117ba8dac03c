"""Reads over channels, in an event loop of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from inventory_job.errors import NotAtOnce
from inventory_job.model.channels import Channels
from inventory_job.model.client import Database
from inventory_job.model.commands import RawDocument, find_one

_Result = TypeVar("_Result")


def asking(filter_: RawDocument, seconds: float = 20.0) -> RawDocument:
    return find_one("job", filter_, {"_id": 0}, seconds)


async def found(channels: Channels, filter_: RawDocument, seconds: float = 20.0) -> Any:
    """The first document, as soon as there is a connection."""
    ends = time.monotonic() + 20
    while True:
        try:
            return (await channels.read(asking(filter_, seconds)))["cursor"]["firstBatch"][0]
        except NotAtOnce:
            assert time.monotonic() < ends
            await asyncio.sleep(0.02)


async def refused(channels: Channels, command: RawDocument) -> None:
    with pytest.raises(NotAtOnce):
        await channels.read(command)


def with_channels(
    database: Database, work: Callable[[Channels], Awaitable[_Result]], most: int = 4
) -> _Result:
    """What `work` gives in an event loop."""

    async def run() -> _Result:
        # Nothing is opened before the driver has found a server.
        await asyncio.to_thread(database.ping)
        channels = Channels(database, most)
        try:
            return await work(channels)
        finally:
            channels.close()

    return asyncio.run(run())

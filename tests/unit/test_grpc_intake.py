"""Requests that come in over gRPC: how many bytes of them there may be at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from inventory_job.errors import Overloaded
from inventory_job.transport.grpc.health import HealthServicer
from inventory_job.transport.intake import Intake


class Roomy:
    """A room with places enough."""

    is_short = False


class Sends:
    """A context whose message is there."""

    def __init__(self, message: bytes) -> None:
        self._message = message

    async def read(self) -> bytes:
        return self._message


def test_no_more_bytes_are_held_than_may_be() -> None:
    async def take() -> None:
        intake = Intake(10.0, 100)
        context: Any = Sends(b"x" * 40)
        first = await intake.message(context, Roomy())
        await intake.message(context, Roomy())
        with pytest.raises(Overloaded):
            await intake.message(context, Roomy())

        intake.release(first)

        await intake.message(context, Roomy())

    asyncio.run(take())


def test_many_that_send_nothing_are_cut_off_for_those_who_wait_behind_them() -> None:
    class Silent:
        async def read(self) -> bytes:
            await asyncio.sleep(60)
            return b""

    class Full:
        is_short = True

    async def take() -> None:
        intake = Intake(30.0, 100)
        silent: Any = Silent()
        waiting = [asyncio.create_task(intake.message(silent, Full())) for _ in range(64)]
        await asyncio.sleep(0)
        context: Any = Sends(b"x")
        assert await asyncio.wait_for(intake.message(context, Full()), 5) == b"x"
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each).__name__ for each in ended} == {"TooSlow"}

    asyncio.run(take())


def test_a_watcher_who_takes_nothing_keeps_nobody_from_knowing() -> None:
    class Stuck:
        async def write(self, message: Any) -> None:
            await asyncio.sleep(60)

    class Request:
        service = "a"

    async def watch() -> None:
        servicer = HealthServicer()
        servicer.set("a", 2)
        request: Any = Request()
        context: Any = Stuck()
        watching = asyncio.create_task(servicer.Watch(request, context))
        await asyncio.sleep(0)

        servicer.set("a", 1)

        assert (await servicer.Check(request, context)).status == 1
        watching.cancel()

    asyncio.run(watch())


def test_nobody_is_cut_off_because_the_loop_was_late() -> None:
    class There:
        """A context whose message is there, once the loop gets to it."""

        async def read(self) -> bytes:
            await asyncio.sleep(0)
            time.sleep(0.5)  # noqa: ASYNC251  somebody else's work
            await asyncio.sleep(0)
            return b"x"

    async def take() -> bytes:
        context: Any = There()
        return await Intake(0.2, 100).message(context, Roomy())

    assert asyncio.run(take()) == b"x"

"""What tests of the limiter share: a clock, and tasks that wait to run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from inventory_job.errors import Overloaded
from inventory_job.transport.limiter import Limiter, Permit


class Clock:
    """Seconds that pass when set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def entered(limiter: Limiter, tenant: str, peers: tuple[str, ...] = ("p",)) -> list[Permit]:
    """All the permits that a tenant gets, on these connections in turn."""
    permits: list[Permit] = []
    with suppress(Overloaded):
        while True:
            permits.append(limiter.enter(tenant, peers[len(permits) % len(peers)]))
    return permits


async def settle() -> None:
    """Lets every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def started(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)

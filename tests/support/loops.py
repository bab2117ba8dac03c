"""Tests that are coroutines, each in an event loop of its own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

_Given = ParamSpec("_Given")


def in_loop(test: Callable[_Given, Coroutine[Any, Any, None]]) -> Callable[_Given, None]:
    """A test that runs the coroutine `test`, and fails if it has not ended within 30 seconds."""

    async def limited(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        async with asyncio.timeout(30):
            await test(*args, **kwargs)

    @functools.wraps(test)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        asyncio.run(limited(*args, **kwargs))

    return run


async def settle(steps: int = 20) -> None:
    """Lets all that can go on now do so, without time passing."""
    for _ in range(steps):
        await asyncio.sleep(0)


async def started(*coroutines: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """Tasks of these, each gone as far as it can."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    await settle()
    return tasks

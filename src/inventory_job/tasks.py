"""Tasks beside calls, and ending tasks whose cancellation may be lost on the way.

Where what a coroutine waits for ends at the moment it is cancelled, `asyncio.wait_for` of Python
3.11 returns as if nothing had happened, and the driver waits for a connection by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

import structlog

_Result = TypeVar("_Result")
_AGAIN_SECONDS = 1.0
"""Whatever a task gives back as it ends, it has done so before it is cancelled once more."""


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels the tasks until all have ended."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_AGAIN_SECONDS)


async def ending_with_caller(work: Coroutine[Any, Any, _Result]) -> _Result:
    """What `work` gives or raises; it has ended when this call, if cancelled, ends."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await end([task])
        raise
    return task.result()


async def in_thread(work: Callable[[], _Result]) -> _Result:
    """What `work` gives or raises, in a thread; it has ended when this call, if cancelled, ends."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        # A thread cannot be ended.
        await asyncio.wait([task])
        task.exception()
        raise
    try:
        return task.result()
    finally:
        # An error keeps this frame, which is not to keep the error, and all it comes from.
        del task


def in_background(work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
    """A task of `work`; that it fails is logged."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()):
        structlog.get_logger(__name__).error("background work failed", exc_info=error)

"""Tasks beside calls, and ending tasks whose cancellation may be lost on the way.

Where what a coroutine waits for ends at the moment it is cancelled, `asyncio.wait_for` of Python
3.11 returns as if nothing had happened, and the driver waits for a connection by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
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
    return await _result(asyncio.create_task(work), may_be_cancelled=True)


async def in_thread(work: Callable[[], _Result]) -> _Result:
    """The same of `work` in a thread, which cannot be cancelled: it goes on to its end."""
    return await _result(asyncio.create_task(asyncio.to_thread(work)), may_be_cancelled=False)


async def _result(task: asyncio.Task[_Result], *, may_be_cancelled: bool) -> _Result:
    try:
        await asyncio.wait([task])
        return task.result()
    except asyncio.CancelledError:
        while not task.done():
            if may_be_cancelled:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=_AGAIN_SECONDS)
        if not task.cancelled():
            # Of an error that is not looked at asyncio makes a log entry.
            task.exception()
        raise
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

"""Background tasks, and cancelling tasks reliably.

A cancellation can get lost: if the awaited operation completes at the same moment,
`asyncio.wait_for` of Python 3.11 swallows it. The driver waits for connections with that function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import structlog

_Result = TypeVar("_Result")
_CLEANUP_SECONDS = 1.0
"""How long a cancelled task has to release its resources before it is cancelled again."""


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels the tasks, repeatedly if need be, until all have ended."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_CLEANUP_SECONDS)


async def ending_with_caller(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Returns or raises what `work` does. If cancelled, cancels `work` and waits for its end."""
    return await _result(asyncio.create_task(work), may_be_cancelled=True)


async def in_thread(work: Callable[[], _Result]) -> _Result:
    """Returns or raises what `work` does, run in a thread. If cancelled, waits for its end."""
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
                await asyncio.wait([task], timeout=_CLEANUP_SECONDS)
        if not task.cancelled():
            # asyncio logs the exception of a task if it is never retrieved.
            task.exception()
        raise
    finally:
        # Breaks a reference cycle: the task holds its error, whose traceback holds this frame.
        del task


def in_background(work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
    """Starts a task of `work`, whose failure is logged."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()):
        structlog.get_logger(__name__).error("background work failed", exc_info=error)

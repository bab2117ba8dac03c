"""The threads that answer calls, in lanes: work, and what must be answered however busy that is.

A lane holds so many calls, running or waiting for a thread, and no more: memory and waits stay
bounded, and who comes later is told at once to come again. All the places are for bursts. Where
calls have been waiting without a break, more of them would only wait longer, so work has but as
many places as threads then.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from inventory_job.errors import Overloaded

_BURST_SECONDS = 1.0
"""Calls that wait for longer, with no break as long, are no burst but more than can be done."""


class Lane(ThreadPoolExecutor):
    """`threads` threads, and room for `queue` more calls that wait for one; for `long_queue`
    (default: as many) when calls have been waiting for some time. `clock` tells seconds.

    Whoever submits asks `is_full` first: what is submitted is always taken.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        queue: int,
        long_queue: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self.name = name
        self._threads_wanted = threads
        self._most = threads + queue
        self._most_for_long = self._most if long_queue is None else threads + long_queue
        self._clock = clock
        self._short_since = self._short_until = -math.inf
        self._changing = threading.Condition(threading.Lock())
        self._held = 0
        self.refused = 0
        """How many calls there was no room for."""

    @property
    def held(self) -> int:
        """How many calls run or wait."""
        return self._held

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another call."""
        if self._held < self._most_for_long:
            return False
        is_burst = self._clock() - self._short_since < _BURST_SECONDS
        return self._held >= (self._most if is_burst else self._most_for_long)

    @property
    def is_short(self) -> bool:
        """Whether calls wait for a thread."""
        return self._held > self._threads_wanted

    def offer(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """As `submit`, if there is room; else raises Overloaded."""
        if self.is_full:
            self.refused += 1
            raise Overloaded
        return self.submit(fn, *args)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As Executor."""
        with self._changing:
            self._held += 1
            if self._held == self._threads_wanted + 1:
                self._begin_short()
        try:
            future = super().submit(fn, *args, **kwargs)
        except BaseException:
            self._ended()
            raise
        future.add_done_callback(self._ended)
        return future

    def await_idle(self, seconds: float) -> bool:
        """Waits until no call is held, at most `seconds`; whether that is so."""
        with self._changing:
            return self._changing.wait_for(lambda: self._held == 0, seconds)

    def _ended(self, _: object = None) -> None:
        with self._changing:
            self._held -= 1
            if self._held == self._threads_wanted:
                self._short_until = self._clock()
            if self._held == 0:
                self._changing.notify_all()

    def _begin_short(self) -> None:
        """A call has to wait, after none had to; or again, after a break that is none."""
        now = self._clock()
        if now - self._short_until >= _BURST_SECONDS:
            self._short_since = now


class Lanes:
    """Which lane a method is in.

    Methods of the service `worker` share `threads` threads and `queue` places; all others, which
    are quick and tell about the server, have threads of their own. `refusals` answers those for
    whom there is no room.
    """

    def __init__(self, worker: str, threads: int, queue: int) -> None:
        self._prefix = f"/{worker}/"
        self.work = Lane("call", threads, queue, min(queue, threads))
        self.side = Lane("side", 2, 64)
        self.refusals = Lane("refusal", 1, 10_000)

    def of(self, method: str) -> Lane:
        """The lane of a full method name, `/package.Service/Method`."""
        return self.work if method.startswith(self._prefix) else self.side

    def close(self) -> None:
        """Lets the threads end when they are done."""
        for lane in (self.work, self.side, self.refusals):
            lane.shutdown(wait=False)

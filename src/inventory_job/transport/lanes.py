"""Room for calls: the threads that answer those that take one, and turns in the event loop for all
others.

A lane holds so many calls, running or waiting, and no more: memory and waits stay bounded, and who
comes later is told at once to come again. All the places are for bursts. Where they stay full and
calls wait long for it, while more are turned away than the places would hold, nobody gains by
waiting, so there are few places besides those of calls that run then.

Not all threads always run. Those that compute take turns (the global interpreter lock), every turn
costs time, and the thread that takes new calls in waits for its own among them. So while calls are
refused, and a turn is long in coming, fewer run at once, and more while they wait for something
else.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from inventory_job.errors import Overloaded

_PATIENCE_SECONDS = 0.1
"""A call that waits for longer is late."""
_BURST_SECONDS = 1.0
"""What goes on for longer is no burst."""


class Turns:
    """How many of `threads` should run, judged by how long one waits for its turn."""

    LOOK_SECONDS = 0.005
    """How long a look takes."""
    _SOON, _LATE = 0.0002, 0.0005
    """Seconds after which there is room for one more, and for one less; every message that comes
    or goes takes the one thread that handles them such a wait."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.most = threads
        """How many calls may run."""

    def look(self, late: float, running: int) -> None:
        """A thread that wanted to go on got its turn after `late` seconds, while so many calls
        ran."""
        if late < self._SOON:
            self.most = min(self._threads, max(self.most, running + 1))
        elif late > self._LATE:
            self.most = max(1, min(self.most, running) - 1)

    def rest(self) -> None:
        """Nobody is in a hurry: all may run."""
        self.most = self._threads


class _Call(Future[Any]):
    """A call to be run, and its future in one."""

    def __init__(self, since: float, fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
        super().__init__()
        self.since = since
        self._fn = fn
        self._args = args
        self._kwargs = kwargs

    def run(self, ended: Callable[[], object]) -> None:
        """Does it, unless it was cancelled; `ended` is called before the result is set: whoever
        sees that finds the place free."""
        if not self.set_running_or_notify_cancel():
            ended()
            return
        try:
            result = self._fn(*self._args, **self._kwargs)
        except BaseException as error:  # noqa: BLE001  raised where the result is taken
            ended()
            self.set_exception(error)
        else:
            ended()
            self.set_result(result)


class Lane(ThreadPoolExecutor):
    """`threads` threads, and room for `queue` more calls that wait for one; for `long_queue`
    (default: as many) besides those that run while there are too many for long. `clock` tells
    seconds. `turns` says how many threads run.

    Whoever submits asks `is_full` first, and tells with `refuse` if it was: what is submitted is
    always taken.
    """

    def __init__(  # noqa: PLR0913, PLR0917  all but three for those who know why
        self,
        name: str,
        threads: int,
        queue: int,
        long_queue: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        turns: Turns | None = None,
    ) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self.name = name
        self._threads_wanted = threads
        self._most = threads + queue
        self._long_queue = queue if long_queue is None else long_queue
        self._clock = clock
        self._late_at = self._refusals_since = -math.inf
        self._refusals = 0
        self._is_flooded = False
        lock = threading.Lock()
        self._changing = threading.Condition(lock)
        self._refusing = threading.Condition(lock)
        self._refused_at = -math.inf
        self._held = 0
        self._running = 0
        self._turns = turns or Turns(threads)
        self._waiting: deque[_Call] = deque()
        self._watcher: threading.Thread | None = None
        self._is_closed = False
        self.refused = 0
        """How many calls there was no room for."""

    @property
    def held(self) -> int:
        """How many calls run or wait."""
        return self._held

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another call."""
        if self._held < self._turns.most + self._long_queue:
            return False
        return self._held >= self._most or self.is_flooded

    @property
    def is_short(self) -> bool:
        """Whether others may need the room of a call that waits for something."""
        return self._held > max(self._threads_wanted, self._most // 2)

    def enter(self) -> None:
        """A call takes a place; whoever enters asks `is_full` first, and has to `leave`."""
        with self._changing:
            self._held += 1

    def leave(self) -> None:
        """A call gives its place back."""
        with self._changing:
            self._held -= 1
            if self._held == 0:
                self._changing.notify_all()

    def offer(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """As `submit`, if there is room; else raises Overloaded."""
        if self.is_full:
            self.refuse()
            raise Overloaded
        return self.submit(fn, *args)

    def refuse(self) -> None:
        """Notes that there was no room for a call."""
        with self._changing:
            self.refused += 1
            self._refused_at = time.monotonic()
            self._watch()
            now = self._clock()
            took = now - self._refusals_since
            if took >= _BURST_SECONDS:
                are_many = self._refusals > self._most - self._threads_wanted
                is_going_on = took < 2 * _BURST_SECONDS and are_many
                self._is_flooded = is_going_on and (self._is_flooded or self._is_late(now))
                self._refusals_since, self._refusals = now, 0
            self._refusals += 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As Executor."""
        call = _Call(self._clock(), fn, args, kwargs)
        with self._changing:
            if self._is_closed:
                raise RuntimeError("the lane is closed")
            if self._running < self._turns.most:
                self._start(call)
            else:
                self._waiting.append(call)
            self._held += 1
        return call

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As Executor; what was taken is done, unless it is to be cancelled and has not begun."""
        with self._changing:
            self._is_closed = True
            cancelled = [*self._waiting] if cancel_futures else []
            self._refusing.notify_all()
        for call in cancelled:
            call.cancel()
        super().shutdown(wait, cancel_futures=cancel_futures)

    def await_idle(self, seconds: float) -> bool:
        """Waits until no call is held, at most `seconds`; whether that is so."""
        with self._changing:
            return self._changing.wait_for(lambda: self._held == 0, seconds)

    def _start(self, call: _Call) -> None:
        """Has a thread run a call; holding the lock, with which nothing is closed meanwhile."""
        self._running += 1
        # Where no thread can be started, one of those that there are runs it later.
        with suppress(RuntimeError):
            super().submit(self._run, call)

    def _run(self, first: _Call) -> None:
        """Runs a call and then, in the same thread, others that wait."""
        call: _Call | None = first
        while call is not None:
            call.run(self.leave)
            with self._changing:
                # Once closed, nobody else starts what is left.
                goes_on = self._running <= self._turns.most or self._is_closed
                call = self._next() if goes_on else None
                if call is None:
                    self._running -= 1

    def _next(self) -> _Call | None:
        """The call that has waited for longest."""
        if not self._waiting:
            return None
        call = self._waiting.popleft()
        now = self._clock()
        if now - call.since > _PATIENCE_SECONDS:
            self._late_at = now
        return call

    def _is_late(self, now: float) -> bool:
        """Whether a call is late, or was a moment ago."""
        late_at = self._late_at
        if self._waiting and now - self._waiting[0].since > _PATIENCE_SECONDS:
            late_at = now
        return now - late_at < _BURST_SECONDS

    @property
    def is_flooded(self) -> bool:
        """Whether there have been too many calls for long."""
        return self._is_flooded and self._clock() - self._refusals_since < 2 * _BURST_SECONDS

    def _watch(self) -> None:
        """Sees to it that somebody looks how long turns are in coming; holding the lock."""
        if self._watcher is None:
            watcher = threading.Thread(target=self._look, name=f"{self.name} turns", daemon=True)
            with suppress(RuntimeError):  # the next refusal tries again
                watcher.start()
                self._watcher = watcher
        self._refusing.notify()

    def _is_refusing(self) -> bool:
        return time.monotonic() - self._refused_at < _BURST_SECONDS

    def _look(self) -> None:
        while True:
            with self._changing:
                if not self._is_refusing():
                    self._turns.rest()
                    self._start_waiting()
                    self._refusing.wait_for(lambda: self._is_refusing() or self._is_closed)
                if self._is_closed:
                    return
            begun = time.monotonic()
            time.sleep(Turns.LOOK_SECONDS)
            late = time.monotonic() - begun - Turns.LOOK_SECONDS
            with self._changing:
                self._turns.look(late, self._running)
                self._start_waiting()

    def _start_waiting(self) -> None:
        """Has as many of the waiting calls run as may; holding the lock."""
        while self._running < self._turns.most and not self._is_closed:
            call = self._next()
            if call is None:
                return
            self._start(call)


class Gate:
    """Lets calls of one event loop pass, `at_a_time` of them, and the others in turn."""

    def __init__(self, at_a_time: int) -> None:
        self.at_a_time = at_a_time
        self._passing = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_crowded(self) -> bool:
        """Whether calls wait for their turn."""
        return bool(self._waiting)

    async def begin(self) -> None:
        """A call waits for its turn; it has to `end`."""
        if self._passing < self.at_a_time:
            self._passing += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end()
            raise

    def end(self) -> None:
        """A call's turn is over."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._passing -= 1


class Places:
    """Room for `most` calls that one event loop works on, each of them short; for few while `lane`
    is flooded.

    They are worked on as `gate` lets them: between any two steps the loop has to get to the calls
    that it refuses.
    """

    def __init__(self, most: int, at_a_time: int, lane: Lane) -> None:
        self._most = most
        self._lane = lane
        self.gate = Gate(at_a_time)
        self.held = 0
        """How many calls there are."""

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another call."""
        return self.held >= self._most or (
            self.held >= 2 * self.gate.at_a_time and self._lane.is_flooded
        )

    @property
    def is_short(self) -> bool:
        """Whether others may need the room of a call that waits for something."""
        return self.held > max(self.gate.at_a_time, self._most // 2)

    def enter(self) -> None:
        """A call takes a place; whoever enters asks `is_full` first, and has to `leave`."""
        self.held += 1

    def leave(self) -> None:
        """A call gives its place back."""
        self.held -= 1

    def refuse(self) -> None:
        """Notes that there was no room for a call, as the lane counts them."""
        self._lane.refuse()

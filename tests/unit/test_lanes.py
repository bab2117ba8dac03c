"""Room for calls: all of it for bursts, little of it while there is more than can be done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from inventory_job.embedded.data_directory import wait_until
from inventory_job.errors import Overloaded
from inventory_job.transport.lanes import Gate, Lane, Places, Turns

THREADS, QUEUE, LONG_QUEUE = 2, 6, 1


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class HeldLane(Lane):
    """A lane whose calls go on until `let_go` is told how many of them may end."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("held", THREADS, QUEUE, LONG_QUEUE, clock)
        self._may_end = threading.Semaphore(0)
        self._ends = threading.Condition()
        self._ended_calls = 0

    def take(self, count: int) -> int:
        """Offers so many calls; how many were taken."""
        taken = 0
        for _ in range(count):
            try:
                self.offer(self._may_end.acquire).add_done_callback(self._count)
            except Overloaded:
                continue
            taken += 1
        return taken

    def let_go(self, count: int) -> None:
        """Returns when so many calls have ended."""
        with self._ends:
            wanted = self._ended_calls + count
            self._may_end.release(count)
            assert self._ends.wait_for(lambda: self._ended_calls >= wanted, 10)

    def _count(self, _: object) -> None:
        with self._ends:
            self._ended_calls += 1
            self._ends.notify_all()


@contextmanager
def lane(clock: Clock) -> Iterator[HeldLane]:
    held = HeldLane(clock)
    try:
        yield held
    finally:
        if held.held:
            held.let_go(held.held)
        held.shutdown()


def test_a_burst_has_all_the_room() -> None:
    with lane(Clock()) as held:
        assert held.take(THREADS + QUEUE + 3) == THREADS + QUEUE
        assert held.refused == 3


def flooded(held: HeldLane, clock: Clock, *, wait: float, offers: int = 3 * QUEUE) -> None:
    """Two seconds of so many offers each, with calls that wait for `wait` seconds."""
    held.take(THREADS + QUEUE)
    for _ in range(2):
        held.take(offers)
        clock.now += 1.1 - wait
        held.take(1)
        clock.now += wait
        held.let_go(held.held - THREADS)
        held.take(QUEUE)
    held.take(offers)
    held.let_go(held.held - THREADS)


def test_while_more_are_refused_than_there_is_room_for_there_is_less() -> None:
    clock = Clock()
    with lane(clock) as held:
        flooded(held, clock, wait=0.5)

        assert held.take(QUEUE) == LONG_QUEUE


def test_few_refusals_are_no_reason_for_less_room() -> None:
    clock = Clock()
    with lane(clock) as held:
        flooded(held, clock, wait=0.5, offers=QUEUE // 2)

        assert held.take(QUEUE) == QUEUE


def test_calls_that_wait_long_are_no_reason_for_less_room_while_all_find_some() -> None:
    clock = Clock()
    with lane(clock) as held:
        held.take(THREADS + QUEUE)
        for _ in range(20):
            clock.now += 0.5
            held.let_go(1)

            assert held.take(1) == 1
        assert held.refused == 0


def test_refusals_are_no_reason_for_less_room_while_calls_wait_only_briefly() -> None:
    clock = Clock()
    with lane(clock) as held:
        for _ in range(100):
            held.take(3 * QUEUE)
            clock.now += 0.03
            held.let_go(THREADS + QUEUE)

        assert held.take(THREADS + QUEUE) == THREADS + QUEUE


def test_while_threads_are_stuck_there_is_less_room() -> None:
    clock = Clock()
    with lane(clock) as held:
        held.take(THREADS + QUEUE)
        for _ in range(3):
            held.take(3 * QUEUE)
            clock.now += 1.1
        held.take(1)
        held.let_go(QUEUE)

        assert held.take(QUEUE) == LONG_QUEUE


def test_there_is_less_room_until_few_are_refused() -> None:
    clock = Clock()
    with lane(clock) as held:
        flooded(held, clock, wait=0.5)
        for _ in range(10):
            assert held.take(3 * QUEUE) <= THREADS + LONG_QUEUE
            clock.now += 1.1
            held.let_go(LONG_QUEUE)

        held.take(QUEUE)
        clock.now += 1.1
        held.take(2)
        held.let_go(held.held)
        assert held.take(THREADS + QUEUE) == THREADS + QUEUE


def test_there_is_all_the_room_again_when_none_were_refused() -> None:
    clock = Clock()
    with lane(clock) as held:
        flooded(held, clock, wait=0.5)
        clock.now += 2.5

        assert held.take(QUEUE) == QUEUE


def test_fewer_calls_run_while_a_turn_is_long_in_coming() -> None:
    turns = Turns(8)

    for running in (8, 7, 6):
        turns.look(late=0.01, running=running)

    assert turns.most == 5


def test_more_calls_run_while_there_is_a_turn_at_once() -> None:
    turns = Turns(8)
    for running in range(8, 0, -1):
        turns.look(late=0.01, running=running)
    assert turns.most == 1

    turns.look(late=0.0, running=1)
    turns.look(late=0.0, running=1)
    assert turns.most == 2

    for running in range(2, 20):
        turns.look(late=0.0, running=running)
    assert turns.most == 8


def test_all_calls_may_run_once_none_was_refused_for_a_while() -> None:
    turns = Turns(4)
    held = Lane("some", 4, 99, turns=turns)
    held.refuse()
    turns.most = 1

    assert wait_until(lambda: turns.most == 4, 10)
    held.shutdown()


def test_one_call_may_always_run() -> None:
    turns = Turns(2)

    for _ in range(9):
        turns.look(late=1.0, running=1)

    assert turns.most == 1


class OneAtATime(Turns):
    """Never lets a second call run."""

    def __init__(self) -> None:
        super().__init__(4)
        self.most = 1

    def look(self, late: float, running: int) -> None:
        """Nothing changes."""


def test_calls_run_in_order_and_no_more_than_may() -> None:
    done: list[int] = []
    alone: list[bool] = []
    running = threading.Lock()
    held = Lane("some", 4, 99, turns=OneAtATime())

    def note(number: int) -> None:
        alone.append(running.acquire(blocking=False))
        done.append(number)
        running.release()

    for number in range(50):
        held.submit(note, number)
    assert held.await_idle(10)
    held.shutdown()

    assert done == [*range(50)]
    assert all(alone)


def test_a_closing_lane_does_what_it_has_taken() -> None:
    go_on, begun = threading.Event(), threading.Event()
    held = Lane("some", 4, 99, turns=OneAtATime())

    def wait() -> bool:
        begun.set()
        return go_on.wait(10)

    first = held.submit(wait)
    rest = [held.submit(int, "7") for _ in range(9)]
    assert begun.wait(10)

    held.shutdown(wait=False)
    go_on.set()

    assert [call.result(10) for call in rest] == [7] * 9
    assert first.done()
    with pytest.raises(RuntimeError):
        held.submit(int)


def test_calls_that_wait_for_something_do_not_hold_up_others() -> None:
    turns = Turns(4)
    turns.most = 1
    go_on = threading.Event()
    held = Lane("some", 4, 99, turns=turns)
    held.refuse()
    first = held.submit(go_on.wait, 10)

    second = held.submit(int, "7")

    assert second.result(10) == 7
    assert not first.done()
    go_on.set()
    held.shutdown()


def test_a_call_that_no_thread_can_be_started_for_is_run_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()
    held = Lane("some", 2, 99)
    held.submit(go_on.wait, 10)

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", refuse)
        second = held.submit(int, "7")
    go_on.set()

    assert second.result(10) == 7
    assert held.await_idle(10)
    assert held.held == 0
    held.shutdown()


def test_a_cancelled_call_is_not_run() -> None:
    go_on = threading.Event()
    held = Lane("some", 1, 99)
    held.submit(go_on.wait, 10)
    ran: list[int] = []
    cancelled = held.submit(ran.append, 1)

    assert cancelled.cancel()
    go_on.set()
    held.shutdown()

    assert ran == []
    assert held.held == 0


def test_what_a_call_raises_is_raised_where_its_result_is_taken() -> None:
    with Lane("some", 1, 1) as held:
        assert isinstance(held.submit(int, "x").exception(10), ValueError)


def test_calls_without_a_thread_take_places_too() -> None:
    with lane(Clock()) as held:
        for _ in range(THREADS + QUEUE):
            held.enter()
        assert held.take(1) == 0
        held.leave()
        assert held.take(1) == 1
        for _ in range(THREADS + QUEUE - 1):
            held.leave()
        held.let_go(1)
        assert held.await_idle(0)


class Flooded(Lane):
    """A lane with too many calls, or not."""

    def __init__(self) -> None:
        super().__init__("flooded", 1, 1)
        self.has_too_many = True

    @property
    def is_flooded(self) -> bool:
        return self.has_too_many


def test_short_calls_have_few_places_while_there_are_too_many_calls() -> None:
    with Flooded() as busy:
        places = Places(10, 2, busy)
        for _ in range(4):
            assert not places.is_full
            places.enter()
        assert places.is_full

        busy.has_too_many = False
        for _ in range(6):
            places.enter()
        assert places.is_full
        places.refuse()
        assert busy.refused == 1


def test_so_many_calls_pass_and_the_others_in_turn() -> None:
    done: list[int] = []

    async def call(gate: Gate, number: int) -> None:
        await gate.begin()
        try:
            done.append(number)
            assert running.acquire(blocking=False)
            await asyncio.sleep(0.001)
            running.release()
        finally:
            gate.end()

    async def calls(gate: Gate) -> None:
        working = [asyncio.create_task(call(gate, number)) for number in range(20)]
        await asyncio.sleep(0)
        working[5].cancel()  # waits
        working[0].cancel()  # is worked on
        await asyncio.gather(*working, return_exceptions=True)
        # As if it had been cancelled just when it got its turn.
        await gate.begin()
        waiting = asyncio.create_task(gate.begin())
        await asyncio.sleep(0)
        gate.end()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(gate.begin(), 1)

    running = threading.Semaphore(2)
    asyncio.run(calls(Gate(2)))

    assert done == [number for number in range(20) if number != 5]

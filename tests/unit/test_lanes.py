"""Room for calls: all of it for bursts, little of it while there is more than can be done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from inventory_job.errors import Overloaded
from inventory_job.transport.lanes import Lane

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
        held.let_go(held.held)
        held.shutdown()


def test_a_burst_has_all_the_room() -> None:
    with lane(Clock()) as held:
        assert held.take(THREADS + QUEUE + 3) == THREADS + QUEUE
        assert held.refused == 3


def test_while_calls_keep_waiting_there_is_less_room() -> None:
    clock = Clock()
    with lane(clock) as held:
        held.take(THREADS + QUEUE)
        clock.now += 1.5
        held.let_go(QUEUE)

        assert held.take(QUEUE) == LONG_QUEUE


def test_calls_that_find_a_thread_are_taken_however_long_there_were_waiting_ones() -> None:
    clock = Clock()
    with lane(clock) as held:
        held.take(THREADS + 1)
        clock.now += 1.5
        held.let_go(THREADS + 1)

        assert held.take(THREADS) == THREADS


@pytest.mark.parametrize(
    ("pause", "taken"), [(0.5, LONG_QUEUE), (1.5, QUEUE)], ids=["short", "long"]
)
def test_there_is_room_for_a_burst_again_after_a_long_enough_break(
    pause: float, taken: int
) -> None:
    clock = Clock()
    with lane(clock) as held:
        held.take(THREADS + 1)
        clock.now += 1.5
        held.let_go(1)

        clock.now += pause

        assert held.take(QUEUE) == taken

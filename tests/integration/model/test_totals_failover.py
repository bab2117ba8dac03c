"""Totals on a set of three members that fail: never wrong for longer than a second.

Jobs are written and counted at random while streams are killed, primaries step down and crash.
Every answer is compared with the truth of the second before it. `--examples N` goes on for N / 1000
rounds of failures.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Self

import pytest
from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from inventory_job.auth.scope import Scope
from inventory_job.embedded.data_directory import wait_until
from inventory_job.query.filters import ScopedFilter
from tests.support.counting import Counting
from tests.support.history import PROMISED_SECONDS, Answer, Writer, works
from tests.support.replica_set import ReplicaSet
from tests.support.store import Store


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    with ReplicaSet(tmp_path_factory.mktemp("members")) as running:
        yield running


@pytest.fixture
def store(members: ReplicaSet) -> Iterator[Store]:
    """What other services write to: a collection that is empty."""
    with Store(members.uri, "inventory") as store:
        wait_until(lambda: works(store.jobs.delete_many, {}), 30.0)
        yield store


@pytest.fixture
def workers(store: Store) -> Iterator[list[Counting]]:
    """Two workers of one service."""
    with ExitStack() as resources:
        yield [resources.enter_context(Counting(store.uri, store.name)) for _ in range(2)]


def read(
    index: int, worker: Counting, writer: Writer, stopping: threading.Event, answers: list[Answer]
) -> None:
    """Asks for the totals in turn and notes the answers; a failure is no answer."""
    while not stopping.is_set():
        for number, jobs in enumerate(writer.filters):
            began = time.monotonic()
            try:
                total = worker.count(jobs)
            except PyMongoError:
                continue
            answers.append(Answer(began, time.monotonic(), index, number, total))
        stopping.wait(0.01)


def fail(members: ReplicaSet, rounds: int) -> None:
    """Breaks what can be broken, again and again."""
    pause = threading.Event()
    for _ in range(rounds):
        pause.wait(2.5)
        kill_streams(members)
        pause.wait(1.0)
        members.step_down()
        pause.wait(2.5)
        crashed = members.await_primary()
        crashed.kill()
        members.await_primary()
        members.restart(crashed)
        pause.wait(2.0)


@pytest.mark.timeout(3600)
def test_totals_are_never_wrong_for_longer_than_a_second(
    members: ReplicaSet,
    store: Store,
    workers: list[Counting],
    request: pytest.FixtureRequest,
) -> None:
    rounds = max(1, (request.config.getoption("--examples") or 0) // 1000)
    seed = random.SystemRandom().randrange(2**32) if rounds > 1 else 1
    writers = [Writer(f"writer-{number}", store, workers[0], seed + number) for number in range(2)]
    answers: list[list[Answer]] = [[], []]
    stopping = threading.Event()
    with Threads(stopping) as threads:
        for number, writer in enumerate(writers):
            threads.run(writer.write, stopping)
            for index, worker in enumerate(workers):
                threads.run(read, index, worker, writer, stopping, answers[number])
        fail(members, rounds)

    wrong = [
        (answer, sorted({*truths}))
        for writer, given in zip(writers, answers, strict=True)
        for answer in given
        if not min(truths := writer.truths(answer)) <= answer.total <= max(truths)
    ]
    assert wrong == [], f"with seed {seed}"
    for worker in workers:
        for writer in writers:
            for number, jobs in enumerate(writer.filters):
                truth = writer.history[-1].totals[number]
                assert wait_until(partial(says, worker, jobs, truth), PROMISED_SECONDS)
        counters = worker.cache.counters
        assert counters.hits > counters.misses
        assert counters.dropped > 0


def test_what_only_the_primary_has_shows_within_a_second(
    members: ReplicaSet, store: Store, workers: list[Counting]
) -> None:
    worker, jobs = workers[0], ScopedFilter(Scope("domain-of-few"))
    assert wait_until(partial(worker.knows, jobs), 20.0)
    unacknowledged = store.jobs.with_options(write_concern=WriteConcern(w=1))

    with members.fail_point(members.secondaries(), "stopReplProducer"):
        unacknowledged.insert_one({"domain_id": "domain-of-few"})

        assert wait_until(lambda: worker.count(jobs) == 1, PROMISED_SECONDS)
        assert not worker.cache.is_current

    assert wait_until(partial(worker.knows, jobs), 20.0)
    assert worker.count(jobs) == 1


def test_a_database_that_hangs_holds_up_neither_doubts_nor_the_end(
    members: ReplicaSet, workers: list[Counting]
) -> None:
    worker = workers[0]
    assert wait_until(partial(worker.knows, ScopedFilter(Scope("domain-of-few"))), 20.0)

    with members.await_primary().suspended():
        assert wait_until(lambda: not worker.cache.is_current, PROMISED_SECONDS)
        began = time.monotonic()
        worker.close_counts()
        assert time.monotonic() - began < 1.0


def test_a_connection_lost_while_counting_is_no_error(
    members: ReplicaSet, store: Store, workers: list[Counting]
) -> None:
    worker, jobs = workers[0], ScopedFilter(Scope("domain-of-few"))
    store.jobs.insert_one({"domain_id": "domain-of-few"})
    assert wait_until(partial(worker.knows, ScopedFilter(Scope("another"))), 20.0)
    worker.count(jobs)

    with members.await_primary().connect() as client:
        lost = {"failCommands": ["aggregate"], "closeConnection": True}
        client.admin.command(
            {"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": lost}
        )

    assert worker.list_total(jobs) == 1
    assert wait_until(partial(worker.knows, jobs), 20.0)


def says(worker: Counting, jobs: ScopedFilter, total: int) -> bool:
    """Whether that is the total."""
    return worker.count(jobs) == total


def kill_streams(members: ReplicaSet) -> None:
    """Kills the change streams there are."""
    with members.await_primary().connect() as client:
        cursors = client.admin.aggregate(
            [
                {"$currentOp": {"idleCursors": True, "allUsers": True}},
                {"$match": {"cursor.tailable": True, "ns": "inventory.job"}},
            ]
        )
        killed = [cursor["cursor"]["cursorId"] for cursor in cursors]
        client["inventory"].command({"killCursors": "job", "cursors": killed})


class Threads:
    """Threads that have to end well, after `stopping` is set at the end of the block."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def run(self, work: Callable[..., None], *arguments: Any) -> None:
        """Starts a thread."""
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

"""Several processes on one port, as an operator meets them: signals, deaths, replacements."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.serving import Serving, list_jobs


@pytest.fixture
def workers(mongo_uri: str) -> Iterator[Serving]:
    with Serving(mongo_uri, workers=2) as running:
        yield running


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_workers_share_the_port_and_end_with_their_supervisor(workers: Serving) -> None:
    children = workers.children
    with workers.channel() as channel:
        assert list_jobs(channel) == 0

    workers.process.send_signal(signal.SIGTERM)

    assert workers.process.wait(30) == 0
    assert len(children) == 2
    assert not any(is_alive(child) for child in children)


def test_a_worker_that_dies_is_replaced(workers: Serving) -> None:
    [first, second] = workers.children

    os.kill(first, signal.SIGKILL)

    assert workers.await_entry("worker died")["exitcode"] == -signal.SIGKILL
    new = workers.await_entry("serving")["worker"]
    assert new not in {first, second}
    with workers.channel() as channel:
        assert list_jobs(channel) == 0


def test_where_no_worker_is_left_there_is_soon_one_again(workers: Serving) -> None:
    outage = 0.0
    for _ in range(3):
        for child in filter(is_alive, workers.children):
            os.kill(child, signal.SIGKILL)
        killed = time.monotonic()
        workers.await_entry("serving")
        outage = time.monotonic() - killed
        workers.await_entry("serving")

    assert outage < 8


def test_workers_end_when_their_supervisor_is_killed(workers: Serving) -> None:
    children = workers.children

    workers.process.kill()
    workers.process.wait()

    ends = time.monotonic() + 20
    while any(is_alive(child) for child in children):
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_workers_are_replaced_without_a_failed_call_of_clients_that_retry(
    workers: Serving,
) -> None:
    before = workers.children
    done = threading.Event()
    failures: list[str] = []
    calls = [0]

    def keep_calling() -> None:
        with workers.channel() as channel:
            while not done.is_set():
                try:
                    list_jobs(channel)
                    calls[0] += 1
                except grpc.RpcError as error:
                    failures.append(str(error))

    callers = [threading.Thread(target=keep_calling) for _ in range(4)]
    for caller in callers:
        caller.start()
    workers.process.send_signal(signal.SIGHUP)
    workers.await_entry("workers replaced")
    done.set()
    for caller in callers:
        caller.join()

    assert failures == []
    assert calls[0] > 0
    assert not any(is_alive(child) for child in before)
    assert len(workers.children - before) == 2

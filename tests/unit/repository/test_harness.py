"""What the programs share that measure a server, load it, break its database and attack it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness.answers import Answer, percentile, summary
from harness.callers import REFUSALS, Request
from harness.h2load import h2load
from harness.processes import Process, memory_samples
from harness.threads import in_threads

from inventory_job.embedded.data_directory import wait_until


def test_a_summary_is_of_the_calls_that_did_not_fail() -> None:
    seconds = {"OK": [0.2, 0.1, 0.4, 0.3], "CANCELLED": [9.0], "RESOURCE_EXHAUSTED": [5.0]}
    answers = [Answer(status, 1.0, took) for status, each in seconds.items() for took in each]

    good, refused = summary(answers), summary(answers, REFUSALS)

    assert (good.calls, good.failed) == (6, 2)
    assert good.statuses == {"CANCELLED": 1, "OK": 4, "RESOURCE_EXHAUSTED": 1}
    assert (good.median, good.p99, good.slowest) == (0.3, 0.4, 0.4)
    assert (refused.failed, refused.slowest) == (4, 9.0)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1, 100)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == expected


def test_the_percentile_of_nothing_is_0() -> None:
    assert percentile([], 0.5) == 0


def test_threads_have_ended_after_their_context_even_if_that_fails() -> None:
    ended: list[int] = []

    def work(stop: threading.Event) -> None:
        stop.wait(30)
        ended.append(threading.get_ident())

    with pytest.raises(KeyError), in_threads([work, work]):
        raise KeyError

    assert len({*ended}) == 2


def test_a_process_is_read_anew_each_time() -> None:
    process = Process(os.getpid())
    threads, descriptors, busy = process.threads, process.descriptors, process.processor_seconds

    # More than others that begin or end meanwhile.
    with ExitStack() as opened, in_threads([lambda stop: stop.wait(30)] * 20):
        for _ in range(20):
            opened.enter_context(Path(os.devnull).open())
        assert process.threads > threads + 10
        assert process.descriptors > descriptors + 10
    ends = time.monotonic() + 0.1
    while time.monotonic() < ends:
        pass

    assert process.processor_seconds > busy


def test_memory_is_sampled_until_the_context_ends() -> None:
    before = threading.active_count()
    with memory_samples(Process(os.getpid()), 0.01) as samples:
        assert wait_until(lambda: len(samples) > 3, 10)
        taken = bytearray(b"x") * 50_000_000
        assert wait_until(lambda: max(samples) > samples[0] + 40, 10)

    assert len(taken) == 50_000_000
    assert threading.active_count() == before


def test_without_h2load_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with (
        pytest.raises(RuntimeError, match="nghttp2-client"),
        h2load("127.0.0.1:1", Request("get", b""), ()),
    ):
        pass

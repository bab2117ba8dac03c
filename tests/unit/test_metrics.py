"""Metrics: what is counted when, and by which names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from inventory_job.transport.calls import Room
from inventory_job.transport.lanes import Lane, Places
from inventory_job.transport.unsent import Unsent

from inventory_job.app.metric_sources import metric_sources
from inventory_job.observability.metrics import MULTIPROCESS_VARIABLE, Counted, Level, Metrics

METHOD = "/spaceone.api.inventory.v1.Job/get"


def lines(text: str) -> set[str]:
    return {line for line in text.splitlines() if not line.startswith("#")}


def test_calls_are_counted_by_method_code_and_transport() -> None:
    metrics = Metrics()

    metrics.called(METHOD, "OK", "grpc", 0.02)
    metrics.called(METHOD, "OK", "grpc", 0.02)
    metrics.called(METHOD, "NOT_FOUND", "http", 0.02)

    assert lines(metrics.text()) >= {
        f'inventory_job_calls_total{{code="OK",method="{METHOD}",transport="grpc"}} 2.0',
        f'inventory_job_calls_total{{code="NOT_FOUND",method="{METHOD}",transport="http"}} 1.0',
        f'inventory_job_call_duration_seconds_count{{method="{METHOD}",transport="grpc"}} 2.0',
    }


def test_a_call_that_there_was_no_room_for_is_counted_once() -> None:
    with Lane("call", 1, 1) as lane:
        places, unsent = Places(1, 1, lane), Unsent(100)
        metrics = Metrics(metric_sources(Room(lane, places, unsent), Mock(), Mock(), Mock()))
        metrics.start()
        for refusing in (lane, places, unsent):
            refusing.refuse()
        metrics.close()

    assert "inventory_job_calls_refused_total 3.0" in lines(metrics.text())


def test_numbers_kept_elsewhere_are_read_and_counted_on() -> None:
    numbers = {"hits": 3.0, "held": 5.0}
    metrics = Metrics(
        (
            Counted("inventory_job_hits", "Hits.", lambda: numbers["hits"]),
            Level("inventory_job_held", "Held.", lambda: numbers["held"]),
        )
    )
    metrics.start()
    numbers |= {"hits": 7.0, "held": 2.0}
    metrics.close()

    assert lines(metrics.text()) >= {"inventory_job_hits_total 7.0", "inventory_job_held 2.0"}


def test_a_number_that_cannot_be_read_does_not_end_the_others() -> None:
    def broken() -> float:
        raise OSError("no such file")

    metrics = Metrics(
        (
            Level("inventory_job_broken", "Broken.", broken),
            Counted("inventory_job_hits", "Hits.", lambda: 3.0),
        )
    )
    metrics.start()
    metrics.close()

    assert "inventory_job_hits_total 3.0" in lines(metrics.text())


PROGRAM = """
from inventory_job.observability.metrics import Metrics
metrics = Metrics()
metrics.start()
metrics.called("/a/b", "OK", "grpc", 0.1)
metrics.asked("list", 0.1)
metrics.close()
print(metrics.text())
"""


def told_by_a_process(environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        text=True,
    ).stdout


def value(text: str, name: str) -> float:
    [found] = [line for line in lines(text) if line.startswith(f"{name} ")]
    return float(found.split()[-1])


def names(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}


def test_one_process_answers_for_all_that_share_a_directory(tmp_path: Path) -> None:
    shared = {MULTIPROCESS_VARIABLE: str(tmp_path)}
    told_by_a_process(shared)

    text = told_by_a_process(shared)

    assert lines(text) >= {
        'inventory_job_calls_total{code="OK",method="/a/b",transport="grpc"} 2.0',
        'inventory_job_database_duration_seconds_count{operation="list"} 2.0',
    }


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_what_processes_use_is_summed_over_all_that_share_a_directory(tmp_path: Path) -> None:
    shared = {MULTIPROCESS_VARIABLE: str(tmp_path)}

    one, two = told_by_a_process(shared), told_by_a_process(shared)

    for name in ("process_resident_memory_bytes", "process_open_fds"):
        assert value(two, name) > 1.5 * value(one, name) > 0
    assert value(two, "process_cpu_seconds_total") > value(one, "process_cpu_seconds_total") > 0
    assert value(two, "process_start_time_seconds") == value(one, "process_start_time_seconds")


def test_names_are_the_same_whether_a_directory_is_shared_or_not(tmp_path: Path) -> None:
    alone = told_by_a_process({})
    shared = told_by_a_process({MULTIPROCESS_VARIABLE: str(tmp_path)})

    assert names(shared) == names(alone)

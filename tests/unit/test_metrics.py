"""Metrics: what is counted when, and by which names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from inventory_job.metrics import MULTIPROCESS_VARIABLE, Counted, Level, Metrics

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


def test_one_process_answers_for_all_that_share_a_directory(tmp_path: Path) -> None:
    program = (
        "from inventory_job.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "metrics.called('/a/b', 'OK', 'grpc', 0.1)\n"
        "print(metrics.text())\n"
    )
    environment = {**os.environ, MULTIPROCESS_VARIABLE: str(tmp_path)}

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout

    run()

    assert 'inventory_job_calls_total{code="OK",method="/a/b",transport="grpc"} 2.0' in run()

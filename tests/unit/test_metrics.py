"""Metrics: what is counted when, and by which names."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from inventory_job.app.metric_sources import metric_sources
from inventory_job.errors import Overloaded
from inventory_job.observability.metrics import Counted, Level, Metrics
from inventory_job.transport.limiter import Limiter, Limits
from tests.loops import in_loop

METHOD = "/spaceone.api.inventory.v1.Job/get"


def lines(text: str) -> set[str]:
    return {line for line in text.splitlines() if not line.startswith("#")}


def test_calls_are_counted_by_method_code_and_transport() -> None:
    metrics = Metrics()

    metrics.count_call(METHOD, "OK", "grpc", 0.02)
    metrics.count_call(METHOD, "OK", "grpc", 0.02)
    metrics.count_call(METHOD, "NOT_FOUND", "http", 0.02)

    assert lines(metrics.text()) >= {
        f'inventory_job_calls_total{{code="OK",method="{METHOD}",transport="grpc"}} 2.0',
        f'inventory_job_calls_total{{code="NOT_FOUND",method="{METHOD}",transport="http"}} 1.0',
        f'inventory_job_call_duration_seconds_count{{method="{METHOD}",transport="grpc"}} 2.0',
    }


@in_loop
async def test_a_refused_call_is_counted_once() -> None:
    limiter = Limiter(Limits(held=1))
    metrics = Metrics(metric_sources(limiter, Mock(), Mock(), Mock()))
    permit = limiter.enter("domain-1", "peer-1")
    with pytest.raises(Overloaded):
        limiter.enter("domain-1", "peer-1")

    assert lines(metrics.text()) >= {
        "inventory_job_calls_refused_total 1.0",
        "inventory_job_calls_held 1.0",
    }
    permit.leave()


def test_numbers_kept_elsewhere_are_read_and_counted_on() -> None:
    numbers = {"hits": 3.0, "held": 5.0}
    metrics = Metrics(
        (
            Counted("inventory_job_hits", "Hits.", lambda: numbers["hits"]),
            Level("inventory_job_held", "Held.", lambda: numbers["held"]),
        )
    )
    numbers |= {"hits": 7.0, "held": 2.0}

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

    assert "inventory_job_hits_total 3.0" in lines(metrics.text())

"""Metrics: what is counted when, and by which names."""

from __future__ import annotations

from unittest.mock import Mock

import httpx
import pytest

from inventory_job.app.numbers import Numbers
from inventory_job.auth.callers import AuthStats
from inventory_job.errors import Overloaded
from inventory_job.model.counts.counters import Counters
from inventory_job.observability.metrics import Metrics
from inventory_job.transport.limiter import CallLimits, Limiter
from tests.support.loops import in_loop

METHOD = "/spaceone.api.inventory.v1.Job/get"
COUNTS = Mock(counters=Counters(0), is_current=False)


async def scraped(metrics: Metrics) -> set[str]:
    """The lines that a scrape is answered."""
    transport = httpx.ASGITransport(app=metrics.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://server.test") as client:
        answer = await client.get("/metrics")
    return {line for line in answer.text.splitlines() if not line.startswith("#")}


@in_loop
async def test_calls_are_counted_by_method_code_and_transport() -> None:
    metrics = Metrics()

    metrics.count_call(METHOD, "OK", "grpc", 0.02)
    metrics.count_call(METHOD, "OK", "grpc", 0.02)
    metrics.count_call(METHOD, "NOT_FOUND", "http", 0.02)

    assert await scraped(metrics) >= {
        f'inventory_job_calls_total{{code="OK",method="{METHOD}",transport="grpc"}} 2.0',
        f'inventory_job_calls_total{{code="NOT_FOUND",method="{METHOD}",transport="http"}} 1.0',
        f'inventory_job_call_duration_seconds_count{{method="{METHOD}",transport="grpc"}} 2.0',
    }


@in_loop
async def test_a_refused_call_is_counted_once() -> None:
    limiter = Limiter(CallLimits(held=1))
    metrics = Metrics(Numbers(limiter, Mock(unready=None), COUNTS, AuthStats()))
    permit = limiter.enter("domain-1", "peer-1")
    with pytest.raises(Overloaded):
        limiter.enter("domain-1", "peer-1")

    assert await scraped(metrics) >= {
        "inventory_job_calls_refused_total 1.0",
        "inventory_job_calls_held 1.0",
    }
    permit.leave()


@in_loop
async def test_numbers_kept_elsewhere_are_read_at_each_scrape() -> None:
    stats = AuthStats(remembered=3)
    metrics = Metrics(Numbers(Mock(held=0, refused=0), Mock(unready="starting"), COUNTS, stats))
    assert "inventory_job_tokens_remembered_total 3.0" in await scraped(metrics)
    stats.remembered = 7

    assert await scraped(metrics) >= {
        "inventory_job_tokens_remembered_total 7.0",
        "inventory_job_ready 0.0",
    }

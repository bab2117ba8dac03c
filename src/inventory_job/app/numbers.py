"""Part of the composition root: metrics whose values other components keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from inventory_job.auth.callers import AuthStats
from inventory_job.model.counts.cache import CountCache
from inventory_job.transport.grpc.health import HealthServicer
from inventory_job.transport.limiter import Limiter


@dataclass(frozen=True, eq=False)
class Numbers(Collector):
    """A Prometheus collector that reads these components' values at each scrape."""

    limiter: Limiter
    health: HealthServicer
    counts: CountCache
    auth: AuthStats

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics with their current values."""
        auth, counters = self.auth, self.counts.counters
        held, refused = self.limiter.held, self.limiter.refused
        is_ready = self.health.unready is None
        rows: tuple[tuple[type[Counter | Gauge], str, str, float], ...] = (
            (Gauge, "ready", "Whether calls can be answered.", is_ready),
            (Gauge, "calls_held", "Calls whose answer has not been taken yet.", held),
            (Counter, "calls_refused", "Calls refused because of the limits on calls.", refused),
            (Counter, "tokens_remembered", "Tokens verified a moment ago.", auth.remembered),
            (Counter, "tokens_verified", "Tokens verified as a whole, good or not.", auth.verified),
            (Counter, "identity_calls", "Calls to the identity service.", auth.identity_calls),
            (Counter, "identity_failures", "Identity calls unanswered.", auth.identity_failures),
            (Counter, "totals_hits", "Totals of lists that were known.", counters.hits),
            (Counter, "totals_misses", "Totals of lists that had to be counted.", counters.misses),
            (Counter, "totals_dropped", "Known totals that were given up.", counters.dropped),
            (Gauge, "totals_kept", "Totals known.", counters.kept),
            (Gauge, "totals_current", "Whether known totals are used.", self.counts.is_current),
        )
        for kind, name, meaning, value in rows:
            yield kind(f"inventory_job_{name}", meaning, value)

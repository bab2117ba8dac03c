"""Part of the composition root: the metrics of what is counted where it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from inventory_job.app.readiness import Readiness
from inventory_job.auth.callers import AuthStats
from inventory_job.model.counts.cache import CountCache
from inventory_job.transport.limiter import Limiter


@dataclass(frozen=True, eq=False)
class Numbers(Collector):
    """The numbers that these keep, read at each scrape."""

    limiter: Limiter
    readiness: Readiness
    counts: CountCache
    auth: AuthStats

    def collect(self) -> Iterator[Metric]:
        """The numbers now."""
        for kind, name, meaning, value in self._rows():
            yield kind(f"inventory_job_{name}", meaning, value)

    def _rows(self) -> Iterator[tuple[type[Counter | Gauge], str, str, float]]:
        is_ready = self.readiness.unready is None
        yield Gauge, "ready", "Whether calls can be answered.", is_ready
        held, refused = self.limiter.held, self.limiter.refused
        yield Gauge, "calls_held", "Calls whose answer has not been taken yet.", held
        yield Counter, "calls_refused", "Calls refused because of the limits on calls.", refused
        auth = self.auth
        yield Counter, "tokens_remembered", "Tokens verified a moment ago.", auth.remembered
        yield Counter, "tokens_verified", "Tokens verified as a whole, good or not.", auth.verified
        yield Counter, "identity_calls", "Calls to the identity service.", auth.identity_calls
        yield Counter, "identity_failures", "Identity calls unanswered.", auth.identity_failures
        totals = self.counts.stats
        counted = totals.misses + totals.bypasses
        yield Counter, "totals_hits", "Totals of lists that were known.", totals.hits
        yield Counter, "totals_misses", "Totals of lists that had to be counted.", counted
        yield Counter, "totals_dropped", "Known totals that were given up.", totals.dropped
        yield Gauge, "totals_kept", "Totals known.", totals.kept
        yield Gauge, "totals_current", "Whether known totals are used.", totals.is_current

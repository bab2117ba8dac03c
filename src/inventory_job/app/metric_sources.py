"""Part of the composition root: what is counted where it happens, as sources of the metrics."""

from __future__ import annotations

from inventory_job.app.readiness import Readiness
from inventory_job.auth.callers import AuthStats
from inventory_job.model.counts.cache import CountCache
from inventory_job.observability.metrics import Counted, Level
from inventory_job.transport.limiter import Limiter


def metric_sources(
    limiter: Limiter, readiness: Readiness, counts: CountCache, auth: AuthStats
) -> tuple[Counted | Level, ...]:
    """All of them."""
    return (*_serving(limiter, readiness), *_totals(counts), *_auth(auth))


def _serving(limiter: Limiter, readiness: Readiness) -> tuple[Counted | Level, ...]:
    return (
        Level(
            "inventory_job_ready",
            "Whether the server is ready: its database answers, and it is not stopping.",
            lambda: readiness.unready is None,
        ),
        Level(
            "inventory_job_calls_held",
            "Calls of the Job service that run, wait to run, or have an answer on its way.",
            lambda: limiter.held,
        ),
        Counted(
            "inventory_job_calls_refused",
            "Calls refused because of the limits on calls.",
            lambda: limiter.refused,
        ),
    )


def _auth(stats: AuthStats) -> tuple[Counted | Level, ...]:
    return (
        Counted(
            "inventory_job_tokens_remembered",
            "Tokens that had been verified a moment ago.",
            lambda: stats.remembered,
        ),
        Counted(
            "inventory_job_tokens_verified",
            "Tokens that were verified as a whole, good or not.",
            lambda: stats.verified,
        ),
        Counted(
            "inventory_job_identity_calls",
            "Calls to the identity service, for what is not cached.",
            lambda: stats.identity_calls,
        ),
        Counted(
            "inventory_job_identity_failures",
            "Calls to the identity service that brought no answer.",
            lambda: stats.identity_failures,
        ),
    )


def _totals(counts: CountCache) -> tuple[Counted | Level, ...]:
    return (
        Counted(
            "inventory_job_totals_hits",
            "Totals of lists that were known.",
            lambda: counts.stats.hits,
        ),
        Counted(
            "inventory_job_totals_misses",
            "Totals of lists that had to be counted, of all kinds.",
            lambda: counts.stats.misses + counts.stats.bypasses,
        ),
        Counted(
            "inventory_job_totals_dropped",
            "Known totals that were given up, since a change did not say by how much.",
            lambda: counts.stats.dropped,
        ),
        Level("inventory_job_totals_kept", "Totals known.", lambda: counts.stats.kept),
        Level(
            "inventory_job_totals_current",
            "Whether known totals are used, the change stream being up to date.",
            lambda: counts.stats.is_current,
        ),
    )

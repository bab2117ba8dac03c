"""Part of the composition root: what is counted where it happens, as sources of the metrics."""

from __future__ import annotations

from inventory_job.auth.figures import AuthFigures
from inventory_job.model.counts.cache import Totals
from inventory_job.observability.metrics import Counted, Level
from inventory_job.transport.calls import Room
from inventory_job.transport.grpc.health import Health


def metric_sources(
    room: Room, health: Health, totals: Totals, figures: AuthFigures
) -> tuple[Counted | Level, ...]:
    """All of them."""
    return (*_serving(room, health), *_totals(totals), *_auth(figures))


def _serving(room: Room, health: Health) -> tuple[Counted | Level, ...]:
    return (
        Level("inventory_job_processes", "Processes that serve.", lambda: 1),
        Level(
            "inventory_job_ready",
            "Processes that are ready: their database answers, and they are not stopping.",
            lambda: health.is_ready,
        ),
        Level(
            "inventory_job_calls_held",
            "Calls of the Job service that run or wait.",
            lambda: room.lane.held + room.places.held + room.unsent.waiting,
        ),
        Counted(
            "inventory_job_calls_refused",
            "Calls refused because there was no room for them.",
            lambda: room.lane.refused + room.unsent.refused,
        ),
        Level(
            "inventory_job_unsent_bytes",
            "Bytes of answers that clients have not taken yet.",
            lambda: room.unsent.held,
        ),
    )


def _auth(figures: AuthFigures) -> tuple[Counted | Level, ...]:
    return (
        Counted(
            "inventory_job_tokens_remembered",
            "Tokens that had been verified a moment ago.",
            lambda: figures.remembered.value,
        ),
        Counted(
            "inventory_job_tokens_verified",
            "Tokens that were looked at as a whole, good or not.",
            lambda: figures.verified.value,
        ),
        Counted(
            "inventory_job_identity_calls",
            "Calls to the identity service, for what is not cached.",
            lambda: figures.asked.value,
        ),
        Counted(
            "inventory_job_identity_failures",
            "Calls to the identity service that brought no answer.",
            lambda: figures.unanswered.value,
        ),
    )


def _totals(totals: Totals) -> tuple[Counted | Level, ...]:
    return (
        Counted(
            "inventory_job_totals_hits",
            "Totals of lists that were known.",
            lambda: totals.figures.hits,
        ),
        Counted(
            "inventory_job_totals_misses",
            "Totals of lists that had to be counted, of all kinds.",
            lambda: totals.figures.misses + totals.figures.bypasses,
        ),
        Counted(
            "inventory_job_totals_dropped",
            "Known totals that were given up, since a change could not be told in numbers.",
            lambda: totals.figures.dropped,
        ),
        Level("inventory_job_totals_kept", "Totals known.", lambda: totals.figures.kept),
        Level(
            "inventory_job_totals_current",
            "Processes in which known totals are used, the change stream being up to date.",
            lambda: totals.figures.is_current,
        ),
    )

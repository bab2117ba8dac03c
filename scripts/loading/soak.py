"""Mixed load for long: whether what the server takes of the machine stays the same."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from harness.answers import OK, summary
from harness.callers import SHED, CallerOptions, calling
from harness.processes import Process
from pymongo import MongoClient

from loading.site import Site

CALLERS = 4
_OPTIONS = CallerOptions(pause=0.02)
_SAMPLE_SECONDS = 2.0
_WARM_SHARE = 0.2
_MOST_GROWTH = {"memory": 0.05, "threads": 0.05, "descriptors": 0.05, "connections": 0.05}
"""By how much each may grow from the first to the last, as the line through the samples has it."""
_LEAST_GROWTH = {"memory": 8.0, "threads": 3.0, "descriptors": 5.0, "connections": 5.0}
"""Less than this, in MiB or numbers, is no growth."""


Figures: TypeAlias = "dict[str, float]"


def measure(site: Site, minutes: float) -> dict[str, Any]:
    """Load for so long, sampled; the first fifth is left out of the trends."""
    samples: list[Figures] = []
    began = time.monotonic()
    with (
        MongoClient[dict[str, Any]](site.uri) as client,
        calling(site.server.address, site.requests, CALLERS, _OPTIONS) as answers,
    ):
        while time.monotonic() - began < minutes * 60:
            time.sleep(_SAMPLE_SECONDS)
            samples.append(_sample(site.server.process, client, time.monotonic() - began))
    steady = samples[int(_WARM_SHARE * len(samples)) :]
    return {
        "minutes": minutes,
        "statuses": summary(answers).statuses,
        "trends": {name: trend(steady, name) for name in _MOST_GROWTH},
        "samples": samples[:: max(1, len(samples) // 30)],
    }


def verdicts(result: dict[str, Any]) -> list[str]:
    """What is not as it has to be."""
    wrong = [
        f"calls ended with {status} ({count})"
        for status, count in result["statuses"].items()
        if status not in {OK, SHED}
    ]
    for name, share in _MOST_GROWTH.items():
        line = result["trends"][name]
        growth = line["ends"] - line["begins"]
        if growth > max(share * line["begins"], _LEAST_GROWTH[name]):
            wrong.append(f"{name} grew from {line['begins']:.1f} to {line['ends']:.1f}")
    return wrong


def trend(samples: Sequence[Figures], name: str) -> Figures:
    """The line of least squares through the samples of one figure: where it begins and ends, and
    how it rises."""
    minutes = [sample["minute"] for sample in samples]
    slope, start = statistics.linear_regression(minutes, [sample[name] for sample in samples])
    return {
        "begins": round(start + slope * minutes[0], 2),
        "ends": round(start + slope * minutes[-1], 2),
        "per_hour": round(slope * 60, 2),
    }


def _sample(process: Process, client: MongoClient[dict[str, Any]], seconds: float) -> Figures:
    """What the server has now: MiB, and numbers; `connections` are those of the database."""
    connections = client.admin.command("serverStatus")["connections"]["current"]
    return {
        "minute": round(seconds / 60, 3),
        "memory": round(process.memory, 1),
        "threads": process.threads,
        "descriptors": process.descriptors,
        "connections": int(connections),
    }

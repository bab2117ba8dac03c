"""Ten times what the server can do, for a while: how those fare whom it serves, and the others."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

from harness.answers import OK, summary
from harness.callers import METADATA, REFUSALS, CallerOptions, calling
from harness.h2load import h2load
from harness.processes import memory_samples

from loading.site import Site

CALLERS = 4
TIMES = 10
MOST_SLOWDOWN = 3.0
MOST_GROWTH = 1.2
MOST_SHED_SECONDS = 0.05

_FLOOD_CONNECTIONS = 36
_FLOOD_STREAMS = 20
_SHED_PAUSE = 0.01
_FLOOD_START_SECONDS = 1.0
_RATE = re.compile(r"([0-9.]+) req/s")
_LOOK_SECONDS = 0.25
_ANSWERED = '"status":"OK"'


def measure(site: Site, seconds: float, unloaded_seconds: float) -> dict[str, Any]:
    """The two phases and the flood's rate; `verdicts` judges them."""
    with calling(site.server.address, site.requests, CALLERS, CallerOptions()):
        time.sleep(5)  # connections, caches and memory as in use
    unloaded = phase(site, unloaded_seconds)
    rate = TIMES * unloaded["served_per_second"]
    with flood(site, rate, seconds + 2) as figures:
        overloaded = phase(site, seconds, shed_pause=_SHED_PAUSE)
    return {
        "offered_per_second": round(rate),
        "unloaded": unloaded,
        "overloaded": overloaded,
        "flood": figures,
    }


def verdicts(result: dict[str, Any]) -> list[str]:
    """What is not as it has to be."""
    unloaded, overloaded = result["unloaded"], result["overloaded"]
    wrong = []
    slowdown = overloaded["answered"]["p99"] / unloaded["answered"]["p99"]
    if slowdown > MOST_SLOWDOWN:
        wrong.append(f"accepted calls' p99 is {slowdown:.1f} times the unloaded one")
    growth = overloaded["memory_most"] / unloaded["memory_most"]
    if growth > MOST_GROWTH:
        wrong.append(f"memory grew {growth:.2f} times")
    refusal = overloaded["refused"]["p99"]
    if refusal > MOST_SHED_SECONDS:
        wrong.append(f"refusals took {refusal * 1000:.0f} ms (p99)")
    met = {status for phase in (overloaded, unloaded) for status in phase["answered"]["statuses"]}
    unexpected = met - {OK, *REFUSALS}
    if unexpected:
        wrong.append(f"calls ended with {sorted(unexpected)}")
    return wrong


def phase(site: Site, seconds: float, shed_pause: float = 0.0) -> dict[str, Any]:
    """What `CALLERS` callers met, who called one after the other for so long. `served_per_second`
    are the calls that the server says it answered with OK, the flood's included. Memory in MiB;
    `busy` is the server's processor time a second."""
    server, process = site.server, site.server.process
    busy, answered, began = process.processor_seconds, server.count(_ANSWERED), time.monotonic()
    with memory_samples(process, _LOOK_SECONDS) as memory:
        with calling(
            server.address, site.requests, CALLERS, CallerOptions(shed_pause=shed_pause)
        ) as answers:
            time.sleep(seconds)
        took = time.monotonic() - began
    busy, answered = process.processor_seconds - busy, server.count(_ANSWERED) - answered
    return {
        "served_per_second": round(answered / took, 1),
        "answered": asdict(summary(answers)),
        "refused": asdict(summary(answers, REFUSALS)),
        "memory_before": round(memory[0], 1),
        "memory_most": round(max(memory), 1),
        "busy": round(busy / took, 2),
    }


@contextmanager
def flood(site: Site, rate: float, seconds: float) -> Iterator[dict[str, Any]]:
    """Calls at `rate` a second from other programs (h2load), each kind of request as often as it
    comes up, answered or not; their figures, once they have ended. Raises RuntimeError when there
    is no such program."""
    kinds = Counter(site.requests)
    figures: dict[str, Any] = {}
    with ExitStack() as resources:
        running = []
        for request, weight in kinds.items():
            share = weight / kinds.total()
            options = [f"--duration={seconds:.0f}", *_at_rate(rate * share, share)]
            load = h2load(site.server.address, request, METADATA, *options)
            running.append(resources.enter_context(load))
        time.sleep(_FLOOD_START_SECONDS)
        yield figures
        outputs = [process.communicate(timeout=seconds + 60)[0] for process in running]
    figures["answered_per_second"] = round(
        sum(float(found) for out in outputs for found in _RATE.findall(out)), 1
    )


def _at_rate(rate: float, share: float) -> list[str]:
    connections = max(1, round(_FLOOD_CONNECTIONS * share))
    return [
        f"--clients={connections}",
        f"--max-concurrent-streams={_FLOOD_STREAMS}",
        f"--rps={rate / connections:.2f}",
    ]

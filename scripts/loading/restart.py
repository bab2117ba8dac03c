"""Workers replaced and ended under load: calls of clients that try again may not fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from loading.callers import OK, Answer, Callers, Habits, percentile, seconds_of, statuses
from loading.site import Site

CALLERS = 6
WORKERS = 2

_PAUSE = 0.005
_STEADY_SECONDS = 2.0
_MOST_SECONDS = 90.0
_LOOK_SECONDS = 0.05
_REPLACED = '"event":"workers replaced"'
_SERVING = '"event":"serving"'


def measure(site: Site, rounds: int) -> dict[str, Any]:
    """Under steady load: so many times all workers are replaced (SIGHUP), and as often one of them
    is ended (SIGTERM); in the end the whole server is."""
    return {
        "rounds": rounds,
        "workers replaced": _phase(site, rounds, _replace_all),
        "worker ended": _phase(site, rounds, _end_one),
        "server ended": _last_phase(site),
    }


def verdicts(result: dict[str, Any]) -> list[str]:
    """What is not as it has to be."""
    return [
        f"{name}: {figures['failed']} calls failed"
        for name, figures in result.items()
        if isinstance(figures, dict) and figures["failed"]
    ]


def _phase(site: Site, rounds: int, disturb: Callable[[Site], None]) -> dict[str, Any]:
    with _callers(site) as callers:
        for _ in range(rounds):
            time.sleep(_STEADY_SECONDS)
            disturb(site)
        time.sleep(_STEADY_SECONDS)
    return _figures(callers.answers)


def _last_phase(site: Site) -> dict[str, Any]:
    """Only calls that were under way when the server was told to end have to succeed."""
    with _callers(site) as callers:
        time.sleep(_STEADY_SECONDS)
        told = time.monotonic()
        os.kill(site.served.pid, signal.SIGTERM)
        site.served.wait(_MOST_SECONDS)
    before = [answer for answer in callers.answers if answer.at - answer.seconds < told]
    under_way = sum(answer.at > told for answer in before)
    return {**_figures(before), "under_way": under_way}


def _callers(site: Site) -> Callers:
    return Callers(site.served.address, site.requests, CALLERS, Habits(pause=_PAUSE, retries=True))


def _figures(answers: Sequence[Answer]) -> dict[str, Any]:
    good = seconds_of(answers, OK)
    return {
        "calls": len(answers),
        "failed": len(answers) - len(good),
        "statuses": statuses(answers),
        "median": percentile(good, 0.5),
        "p99": percentile(good, 0.99),
        "slowest": percentile(good, 1),
    }


def _replace_all(site: Site) -> None:
    done = site.served.count(_REPLACED)
    os.kill(site.served.pid, signal.SIGHUP)
    _await(lambda: site.served.count(_REPLACED) > done)


def _end_one(site: Site) -> None:
    begun = site.served.count(_SERVING)
    os.kill(site.served.workers[0], signal.SIGTERM)
    _await(lambda: site.served.count(_SERVING) > begun)


def _await(condition: Callable[[], bool]) -> None:
    """Raises TimeoutError when it does not come true."""
    ends = time.monotonic() + _MOST_SECONDS
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError("the workers are not replaced")
        time.sleep(_LOOK_SECONDS)

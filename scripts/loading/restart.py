"""Replicas replaced and ended under load: calls of clients that try again may not fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from served import Served

from loading.callers import OK, Answer, Callers, Habits, percentile, seconds_of, statuses
from loading.site import Site

CALLERS = 6

_PAUSE = 0.005
_STEADY_SECONDS = 2.0
_MOST_SECONDS = 90.0


def measure(site: Site, rounds: int, directory: Path) -> dict[str, Any]:
    """Under steady load: so many times two replicas are replaced, one after the other, as a rolling
    update does; in the end one server is ended."""
    with replicas(site, directory) as pair:
        with _callers(site, pair.target) as callers:
            for _ in range(rounds):
                for number in range(2):
                    time.sleep(_STEADY_SECONDS)
                    pair.replace(number)
            time.sleep(_STEADY_SECONDS)
        replaced = _figures(callers.answers)
    return {"rounds": rounds, "replicas replaced": replaced, "server ended": _last_phase(site)}


def verdicts(result: dict[str, Any]) -> list[str]:
    """What is not as it has to be."""
    return [
        f"{name}: {figures['failed']} calls failed"
        for name, figures in result.items()
        if isinstance(figures, dict) and figures["failed"]
    ]


class _Pair:
    """Two servers on ports of their own, which their successors take over."""

    def __init__(self, site: Site, directory: Path, opened: ExitStack) -> None:
        self._site = site
        self._directory = directory
        self._opened = opened
        self._ports = [0, 0]
        self._running = [self._started(number) for number in range(2)]

    @property
    def target(self) -> str:
        """The addresses of both, as gRPC takes them."""
        return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in self._ports)

    def replace(self, number: int) -> None:
        """Ends one as a cluster does, and starts its successor."""
        os.kill(self._running[number].pid, signal.SIGTERM)
        self._running[number].wait(_MOST_SECONDS)
        self._running[number] = self._started(number)

    def _started(self, number: int) -> Served:
        settings = {"MONGO_URI": self._site.uri, "PORT": self._ports[number]}
        log = self._directory / f"replica-{number}-{time.monotonic_ns()}.log"
        served = self._opened.enter_context(Served(log, settings))
        self._ports[number] = int(served.address.rpartition(":")[2])
        return served


@contextmanager
def replicas(site: Site, directory: Path) -> Iterator[_Pair]:
    """Two servers on the site's database."""
    with ExitStack() as opened:
        yield _Pair(site, directory, opened)


def _last_phase(site: Site) -> dict[str, Any]:
    """Only calls that were under way when the server was told to end have to succeed."""
    with _callers(site, site.served.address) as callers:
        time.sleep(_STEADY_SECONDS)
        ended = time.monotonic()
        os.kill(site.served.pid, signal.SIGTERM)
        site.served.wait(_MOST_SECONDS)
    before = [answer for answer in callers.answers if answer.at - answer.seconds < ended]
    under_way = sum(answer.at > ended for answer in before)
    return {**_figures(before), "under_way": under_way}


def _callers(site: Site, target: str) -> Callers:
    return Callers(target, site.requests, CALLERS, Habits(pause=_PAUSE, retries=True))


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

"""Replicas replaced and ended under load: calls of clients that try again may not fail."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.answers import summary
from harness.callers import CallerOptions, calling
from harness.servers import ServerProcess

from loading.site import Site
from tests.support.serving import RETRYING

CALLERS = 6

_OPTIONS = CallerOptions(
    pause=0.005,
    channel_options=[
        ("grpc.service_config", json.dumps(RETRYING)),
        # Where there are several servers.
        ("grpc.lb_policy_name", "round_robin"),
    ],
)
_STEADY_SECONDS = 2.0
_MOST_SECONDS = 90.0


def measure(site: Site, rounds: int, directory: Path) -> dict[str, Any]:
    """Under steady load: so many times two replicas are replaced, one after the other, as a rolling
    update does; in the end one server is ended."""
    with ExitStack() as opened:
        pair = _Pair(site, directory, opened)
        with calling(pair.target, site.requests, CALLERS, _OPTIONS) as answers:
            for _ in range(rounds):
                for number in range(2):
                    time.sleep(_STEADY_SECONDS)
                    pair.replace(number)
            time.sleep(_STEADY_SECONDS)
        replaced = asdict(summary(answers))
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
        self._running[number].terminate(_MOST_SECONDS)
        self._running[number] = self._started(number)

    def _started(self, number: int) -> ServerProcess:
        settings = {"MONGO_URI": self._site.uri, "PORT": self._ports[number]}
        log = self._directory / f"replica-{number}-{time.monotonic_ns()}.log"
        server = self._opened.enter_context(ServerProcess(log, settings))
        self._ports[number] = int(server.address.rpartition(":")[2])
        return server


def _last_phase(site: Site) -> dict[str, Any]:
    """Only calls that were under way when the server got SIGTERM have to succeed."""
    with calling(site.server.address, site.requests, CALLERS, _OPTIONS) as answers:
        time.sleep(_STEADY_SECONDS)
        ended = time.monotonic()
        site.server.terminate(_MOST_SECONDS)
    before = [answer for answer in answers if answer.at - answer.seconds < ended]
    under_way = sum(answer.at > ended for answer in before)
    return {**asdict(summary(before)), "under_way": under_way}

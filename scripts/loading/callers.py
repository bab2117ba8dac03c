"""Callers that note how long each answer took, and what a process takes of the machine."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from inventory_job.embedded.demo_data import LARGEST_TENANT
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from tests.support.serving import RETRYING

SERVICE = "spaceone.api.inventory.v1.Job"
OK = "OK"
SHED = "RESOURCE_EXHAUSTED"
RESET = "CANCELLED"
REFUSALS = frozenset({SHED, RESET})
"""How calls end for which nothing was done: by name, or with a stream reset at the door."""
METADATA = (("x_domain_id", LARGEST_TENANT),)

_PAGE = {"page": {"start": 1, "limit": 20}}
_FAILURES = [{"k": "status", "v": "FAILURE", "o": "eq"}]
_GROUP = {
    "keys": [{"k": "plugin_id", "n": "plugin_id"}],
    "fields": [{"o": "count", "n": "jobs"}],
}
_MIX: tuple[tuple[int, str, type[Message], dict[str, Any]], ...] = (
    (4, "list", job_pb2.JobsQuery, {"query": _PAGE}),
    (3, "list", job_pb2.JobsQuery, {"query": {**_PAGE, "filter": _FAILURES}}),
    (1, "stat", job_pb2.JobStatQuery, {"query": {"aggregate": [{"group": _GROUP}]}}),
    (
        1,
        "analyze",
        job_pb2.JobAnalyzeQuery,
        {"query": {"group_by": ["status"], "fields": {"jobs": {"operator": "count"}}}},
    ),
)
_GETS = 6
_FAILED_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """A method and the bytes of its message."""

    method: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended, when (monotonic), and after how many seconds."""

    status: str
    at: float
    seconds: float


def mixed_requests(job_ids: Iterable[str]) -> list[Request]:
    """What users of a console ask, each as often as it comes up."""
    found = [
        Request(method, json_format.ParseDict(request, kind()).SerializeToString())
        for weight, method, kind, request in _MIX
        for _ in range(weight)
    ]
    gets = [Request("get", job_pb2.JobRequest(job_id=id_).SerializeToString()) for id_ in job_ids]
    return found + gets[:_GETS]


@dataclass(frozen=True, slots=True)
class Habits:
    """How callers go on: `pause` seconds after an answer, `shed_pause` after a refusal, whether
    they follow the retry policy that clients are advised to have, and whether calls wait for a
    connection, as they do by that policy, without being tried again."""

    pause: float = 0.0
    shed_pause: float = 0.0
    retries: bool = False
    waits: bool = False

    def pause_after(self, answer: Answer) -> float:
        """Seconds to the next call."""
        if answer.status == OK:
            return self.pause
        return self.shed_pause if answer.status in REFUSALS else _FAILED_PAUSE


class Callers:
    """`count` callers, each with a connection of its own, as a context manager: they call inside,
    with the `metadata` of a tenant."""

    def __init__(
        self,
        address: str,
        requests: Sequence[Request],
        count: int,
        habits: Habits,
        metadata: Sequence[tuple[str, str]] = METADATA,
    ) -> None:
        self._address = address
        self._requests = requests
        self._habits = habits
        self._metadata = metadata
        self._stop = threading.Event()
        self._answers: list[list[Answer]] = [[] for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._run, args=(answers, number), daemon=True)
            for number, answers in enumerate(self._answers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> list[Answer]:
        """All answers so far."""
        return [answer for answers in self._answers for answer in [*answers]]

    def _run(self, answers: list[Answer], seed: int) -> None:
        source = random.Random(seed)
        options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1)]
        if self._habits.retries:
            options.append(("grpc.service_config", json.dumps(RETRYING)))
            # Where there are several servers.
            options.append(("grpc.lb_policy_name", "round_robin"))
        with grpc.insecure_channel(self._address, options=options) as channel:
            methods = {request.method for request in self._requests}
            calls: dict[str, Any] = {
                method: channel.unary_unary(f"/{SERVICE}/{method}") for method in methods
            }
            while not self._stop.is_set():
                request = source.choice(self._requests)
                answer = _answer(
                    calls[request.method], request.message, self._metadata, waits=self._habits.waits
                )
                answers.append(answer)
                self._stop.wait(self._habits.pause_after(answer))


def _answer(
    call: Any, message: bytes, metadata: Sequence[tuple[str, str]], *, waits: bool
) -> Answer:
    began = time.monotonic()
    status = OK
    try:
        # None leaves it to the service config.
        call(message, metadata=metadata, timeout=30, wait_for_ready=waits or None)
    except grpc.RpcError as error:
        failed: Any = error
        status = failed.code().name
    now = time.monotonic()
    return Answer(status, now, now - began)


def seconds_of(answers: Iterable[Answer], *kinds: str) -> list[float]:
    """How long the answers of these statuses took, shortest first."""
    return sorted(answer.seconds for answer in answers if answer.status in kinds)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of an ordered list do not pass, to 10 µs; 0 of nothing."""
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 5)


def statuses(answers: Iterable[Answer]) -> dict[str, int]:
    """How many answers there were of each status."""
    return dict(sorted(Counter(answer.status for answer in answers).items()))


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has at one time: resident memory in MiB, threads, open descriptors, and
    seconds of processor time since its start."""

    memory: float
    threads: int
    descriptors: int
    busy: float


def usage_of(pid: int) -> Usage:
    """The usage of a running process; raises OSError when there is none (Linux only)."""
    directory = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1)
        for line in (directory / "status").read_text().splitlines()
        if ":" in line
    )
    fields = (directory / "stat").read_text().rpartition(")")[2].split()
    return Usage(
        memory=int(status["VmRSS"].split()[0]) / 1024,
        threads=int(status["Threads"]),
        descriptors=len(list((directory / "fd").iterdir())),
        busy=(int(fields[11]) + int(fields[12])) / 100,
    )

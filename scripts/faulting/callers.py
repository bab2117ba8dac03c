"""The load: several callers, each with a connection of its own, whose answers are all judged."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf import json_format
from harness.answers import OK
from harness.callers import OWN_CONNECTION, SHED, outcome_of
from harness.threads import in_threads

from faulting.truth import DOMAIN, DOOMED, Doomed, Plain, Question, Truth, questions
from inventory_job.cli.client.calls import request_message
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2_grpc

RIGHT = "right"
WRONG = "wrong"
UNAVAILABLE = "UNAVAILABLE"
DEADLINE = "DEADLINE_EXCEEDED"
NO_RIGHT = "FAILED_PRECONDITION"
"""The service's database user lacks a right, which waiting does not mend."""

SLOW_SECONDS = 1.0
"""A call that takes longer is not as it should be, even if its answer is right."""

_REPEATED = 0.4
"""Of deletes that failed: those tried again. The others have to be whole, or gone, as they are."""

_HONEST = frozenset({UNAVAILABLE, DEADLINE, NO_RIGHT, SHED})
_CHANNEL = [
    *OWN_CONNECTION,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what came of it, and when, in monotonic seconds."""

    method: str
    outcome: str
    began: float
    ended: float
    complaint: str = ""

    @property
    def is_good(self) -> bool:
        """Whether a user would have noticed nothing."""
        return self.outcome == RIGHT and self.ended - self.began <= SLOW_SECONDS


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How the server is called: by how many, how often each, with which deadlines in seconds."""

    callers: int = 6
    calls_per_second: float = 15.0
    deadlines: Sequence[float] = (2.0, 8.0)


@dataclass
class Caller:
    """One user: asks, deletes, and looks whether that was right."""

    address: str
    truth: Truth
    options: LoadOptions
    seed: int
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._questions = questions(self.truth.steady)

    def run(self, stop: threading.Event) -> None:
        """Calls until the event is set."""
        with grpc.insecure_channel(self.address, options=_CHANNEL) as channel:
            self._stub = job_pb2_grpc.JobStub(channel)
            while not stop.wait(self._random.uniform(0, 2 / self.options.calls_per_second)):
                self._act()

    def _act(self) -> None:
        draw = self._random.random()
        if draw < 0.25:
            job = self.truth.take(self._random)
            if job is not None:
                self._delete(job)
        elif draw < 0.33:
            gone = self.truth.acknowledged(self._random)
            if gone is not None:
                self._miss(gone)
        elif draw < 0.41:
            self._count()
        else:
            self._ask(self._random.choice(self._questions))

    def _ask(self, question: Question) -> None:
        outcome, answer, began = self._call(question.method, question.request)
        complaint = ""
        if outcome == OK:
            outcome = RIGHT if answer == question.answer else WRONG
            complaint = f"{question.request} → {answer}, expected {question.answer}"
        self._note(question.method, outcome, began, complaint)

    def _count(self) -> None:
        doomed = {"k": "collector_id", "v": DOOMED, "o": "eq"}
        request = {"query": {"filter": [doomed], "count_only": True}}
        outcome, answer, began = self._call("list", request)
        complaint = ""
        if outcome == OK:
            least, most = self.truth.left(began, time.monotonic())
            total = answer.get("total_count", 0)
            outcome = RIGHT if least <= total <= most else WRONG
            complaint = f"counted {total}, not {least} to {most}"
        self._note("list", outcome, began, complaint)

    def _miss(self, gone: Doomed) -> None:
        """What was deleted must not be found."""
        outcome, answer, began = self._call("get", {"job_id": gone.job_id})
        outcome = {OK: WRONG, "NOT_FOUND": RIGHT}.get(outcome, outcome)
        self._note("get", outcome, began, f"{gone.job_id} was deleted, and is shown: {answer}")

    def _delete(self, job: Doomed) -> None:
        was_tried = job.first_try is not None
        self.truth.begin(job)
        outcome, answer, began = self._call("delete", {"job_id": job.job_id})
        if outcome == OK:
            self.truth.acknowledge(job)
            self._note("delete", RIGHT if answer == {} else WRONG, began, str(answer))
            return
        if outcome == "NOT_FOUND":
            # Right if an earlier try succeeded whose answer was lost: then the job is gone.
            self.truth.acknowledge(job)
            self._note("delete", RIGHT if was_tried else WRONG, began, f"{job.job_id} not found")
            return
        self._note("delete", outcome, began)
        if self._random.random() < _REPEATED:
            self.truth.put_back(job)

    def _call(self, method: str, request: Plain) -> tuple[str, Plain, float]:
        """The name of the status, the answer as proto3 JSON, and the time of the call."""
        message = request_message(method, request)
        deadline = self._random.choice(self.options.deadlines)
        call, metadata = getattr(self._stub, method), (("x_domain_id", DOMAIN),)
        began = time.monotonic()
        outcome, answer = outcome_of(call, message, metadata=metadata, timeout=deadline)
        if outcome == OK:
            return OK, json_format.MessageToDict(answer, preserving_proto_field_name=True), began
        if outcome in {*_HONEST, "NOT_FOUND"}:
            return outcome, {}, began
        return f"{outcome}: {answer}", {}, began

    def _note(self, method: str, outcome: str, began: float, complaint: str = "") -> None:
        if outcome not in {RIGHT, WRONG, *_HONEST}:
            outcome, complaint = WRONG, outcome
        kept = f"{method}: {complaint}" if outcome == WRONG else ""
        self.calls.append(Call(method, outcome, began, time.monotonic(), kept))


@dataclass(frozen=True, slots=True)
class Load:
    """What callers have met so far."""

    callers: Sequence[Caller]

    @property
    def calls(self) -> list[Call]:
        """All calls that have ended."""
        return [call for caller in self.callers for call in [*caller.calls]]

    def is_good_since(self, moment: float) -> bool:
        """Whether every caller had an answer since then, and no call was other than good."""
        for caller in self.callers:
            recent = [call for call in [*caller.calls][-200:] if call.ended >= moment]
            if not recent or not all(call.is_good for call in recent):
                return False
        return True

    def last_trouble(self, since: float) -> float:
        """When the last call ended that was not good, if that is after `since`; else `since`."""
        ends = [call.ended for call in self.calls if not call.is_good]
        return max([since, *ends])

    def outcomes(self) -> Counter[str]:
        """How many calls ended how."""
        return Counter(call.outcome for call in self.calls)


@contextmanager
def steady_load(address: str, truth: Truth, options: LoadOptions, seed: int) -> Iterator[Load]:
    """Callers that call the server until the context ends."""
    callers = [
        Caller(address, truth, options, seed * 100 + number) for number in range(options.callers)
    ]
    with in_threads(caller.run for caller in callers):
        yield Load(callers)

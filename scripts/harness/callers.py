"""Calls, and callers that note how each one ended."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message

from harness.answers import OK, Answer
from harness.threads import in_threads
from inventory_job.cli.client.calls import request_message
from inventory_job.embedded.demo_data import LARGEST_TENANT

SERVICE = "spaceone.api.inventory.v1.Job"
METADATA = (("x_domain_id", LARGEST_TENANT),)
OWN_CONNECTION: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1)]
"""The option of a channel that shares its connection with no other."""
SHED = "RESOURCE_EXHAUSTED"
RESET = "CANCELLED"
REFUSALS = frozenset({SHED, RESET})
"""How calls end for which the server did nothing: by name, or with a stream that it reset."""

_FAILED_PAUSE = 0.1


def outcome_of(call: Any, message: Message | bytes, **options: Any) -> tuple[str, Any]:
    """Calls; the name of the status, and the answer, or the details of an error."""
    try:
        return OK, call(message, **options)
    except grpc.RpcError as error:
        failed: Any = error
        return str(failed.code().name), failed.details()


@dataclass(frozen=True, slots=True)
class Request:
    """A method and the bytes of its message."""

    method: str
    message: bytes


def request(method: str, content: dict[str, Any]) -> Request:
    """A request whose content is in proto3 JSON."""
    return Request(method, request_message(method, content).SerializeToString())


@dataclass(frozen=True, slots=True)
class CallerOptions:
    """How callers call: `pause` and `shed_pause` are seconds after an answer and after a refusal;
    `waits`: calls wait for a connection (None leaves it to the service config)."""

    pause: float = 0.0
    shed_pause: float = 0.0
    waits: bool | None = None
    channel_options: Sequence[tuple[str, Any]] = ()

    def pause_after(self, status: str) -> float:
        """Seconds to the next call."""
        if status == OK:
            return self.pause
        return self.shed_pause if status in REFUSALS else _FAILED_PAUSE


@contextmanager
def calling(
    address: str,
    requests: Sequence[Request],
    count: int,
    options: CallerOptions,
    metadata: Sequence[tuple[str, str]] = METADATA,
) -> Iterator[list[Answer]]:
    """The answers so far to `count` callers, each of which sends some of the requests, one after
    the other and on a connection of its own, until the context ends."""
    answers: list[Answer] = []

    def run(seed: int, stop: threading.Event) -> None:
        source = random.Random(seed)
        with grpc.insecure_channel(address, [*OWN_CONNECTION, *options.channel_options]) as channel:
            methods = {each.method for each in requests}
            calls: dict[str, Any] = {
                method: channel.unary_unary(f"/{SERVICE}/{method}") for method in methods
            }
            while not stop.is_set():
                chosen = source.choice(requests)
                sent: Any = {"metadata": metadata, "wait_for_ready": options.waits, "timeout": 30}
                began = time.monotonic()
                status, _ = outcome_of(calls[chosen.method], chosen.message, **sent)
                now = time.monotonic()
                answers.append(Answer(status, now, now - began))
                stop.wait(options.pause_after(status))

    with in_threads(partial(run, seed) for seed in range(count)):
        yield answers

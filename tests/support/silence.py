"""Calls whose messages do not come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from tests.support.serving import TENANT


class Silence:
    """Messages of a call that never come, until it is over."""

    def __init__(self) -> None:
        self.is_over = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        self.is_over.wait(30)
        yield from ()


@contextmanager
def silent_calls(
    channel: grpc.Channel, method: str, count: int, metadata: Any = TENANT
) -> Iterator[list[Any]]:
    """Calls that have sent their headers and nothing else."""
    silences = [Silence() for _ in range(count)]
    start: Any = channel.stream_stream(method)
    calls = [start(iter(silence), metadata=metadata, timeout=30) for silence in silences]
    try:
        yield calls
    finally:
        for call in calls:
            call.cancel()
        for silence in silences:
            silence.is_over.set()

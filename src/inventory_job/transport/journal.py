"""What is told of every call, however it came: a line in the log, a count and a span; and of its
work in the database: the time, and the shape of what took long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import structlog

from inventory_job.logs import shows_debug, tell
from inventory_job.query.plans import Plan
from inventory_job.query.shape import shape_of

_PROBES = "/grpc."
"""How the full names of methods begin that are asked all the time: health and reflection."""

MetadataPairs = Iterable[tuple[str, str | bytes]]


class CallMetrics(Protocol):
    """Where calls are counted."""

    def called(self, method: str, code: str, transport: str, seconds: float) -> None:
        """Counts a call by its full method name, status code, transport and time."""


class Span(Protocol):
    """The span of a call in a trace."""

    @property
    def ids(self) -> dict[str, str]:
        """What a log line needs to be found from the trace."""

    def end(self, code: str) -> None:
        """Notes the status, by its name, that the call ends with."""


class Tracing(Protocol):
    """Where spans come from; see transport.tracing."""

    def server_span(self, method: str, metadata: MetadataPairs) -> AbstractContextManager[Span]:
        """The span of a call of the full `method` name."""

    def command_listener(self) -> Any:
        """What a connection to the database tells of its commands."""


class Record:
    """One call; `code` is the name of the status it ends with."""

    __slots__ = ("code",)

    def __init__(self) -> None:
        self.code = "OK"


class Journal:
    """Tells of calls."""

    def __init__(
        self,
        metrics: CallMetrics,
        tracing: Tracing | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._metrics = metrics
        self._tracing = tracing
        self._clock = clock

    @contextmanager
    def call(self, method: str, transport: str, metadata: MetadataPairs) -> Iterator[Record]:
        """A call of the full `method` name, from beginning to end, in one thread.

        The line about it also holds what is bound within (structlog's context variables).
        """
        structlog.contextvars.clear_contextvars()
        record = Record()
        tracing = self._tracing
        started = self._clock()
        with tracing.server_span(method, metadata) if tracing else nullcontext() as span:
            if span:
                structlog.contextvars.bind_contextvars(**span.ids)
            try:
                yield record
            finally:
                self._tell(method, transport, record.code, self._clock() - started)
                if span:
                    span.end(record.code)

    def _tell(self, method: str, transport: str, code: str, seconds: float) -> None:
        self._metrics.called(method, code, transport, seconds)
        is_probe = code == "OK" and method.startswith(_PROBES)
        tell(
            logging.DEBUG if is_probe else logging.INFO,
            "call",
            method=method,
            status=code,
            milliseconds=round(seconds * 1000, 1),
            transport=transport,
        )


class QueryMetrics(Protocol):
    """Where the time of the database is counted."""

    def asked(self, operation: str, seconds: float) -> None:
        """Counts the time that the database work of a call took."""


class QueryJournal:
    """Tells of the database work of calls; in the log, of what takes longer than `slow_seconds`,
    which may be 0 for nothing, and at the level debug of all."""

    def __init__(self, metrics: QueryMetrics, slow_seconds: float) -> None:
        self._metrics = metrics
        self._slow_seconds = slow_seconds
        self._log = structlog.get_logger(__name__)

    def asked(self, operation: str, plan: Plan, seconds: float, attempts: int) -> None:
        """One call's work, done or not; within the call. What it asked for is not told."""
        self._metrics.asked(operation, seconds)
        if 0 < self._slow_seconds < seconds:
            self._log.warning("slow_query", **_told(operation, plan, seconds, attempts))
        elif shows_debug():
            self._log.debug("query", **_told(operation, plan, seconds, attempts))


def _told(operation: str, plan: Plan, seconds: float, attempts: int) -> dict[str, Any]:
    return {
        "operation": operation,
        "seconds": round(seconds, 3),
        "attempts": attempts,
        "shape": shape_of(plan),
    }

"""What is told of every call, however it came: a line in the log, a count and a span; and of its
work in the database: the time, and the shape of what took long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self

import structlog

from inventory_job.observability.logging import shows_debug, tell
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
    """One call of the full `method` name, as a context manager: from beginning to end, in one
    thread, and told of then. `code` is the name of the status it ends with.

    The line about it also holds what is bound within (structlog's context variables).
    """

    __slots__ = ("_journal", "_method", "_started", "_transport", "code")

    def __init__(self, journal: Journal, method: str, transport: str) -> None:
        self._journal = journal
        self._method = method
        self._transport = transport
        self._started = 0.0
        self.code = "OK"

    def __enter__(self) -> Self:
        structlog.contextvars.clear_contextvars()
        self._started = self._journal.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        journal, code = self._journal, self.code
        seconds = journal.clock() - self._started
        journal.metrics.called(self._method, code, self._transport, seconds)
        is_probe = code == "OK" and self._method.startswith(_PROBES)
        tell(
            logging.DEBUG if is_probe else logging.INFO,
            "call",
            method=self._method,
            status=code,
            milliseconds=round(seconds * 1000, 1),
            transport=self._transport,
        )


class TracedRecord(Record):
    """One call with a span."""

    __slots__ = ("_context", "_span")

    def __init__(
        self, journal: Journal, method: str, transport: str, context: AbstractContextManager[Span]
    ) -> None:
        super().__init__(journal, method, transport)
        self._context = context
        self._span: Span | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        self._span = self._context.__enter__()
        structlog.contextvars.bind_contextvars(**self._span.ids)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            if self._span:
                self._span.end(self.code)
            self._context.__exit__(kind, error, trace)


class Journal:
    """Tells of calls: `metrics` count them, `clock` tells seconds."""

    def __init__(
        self,
        metrics: CallMetrics,
        tracing: Tracing | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.metrics = metrics
        self.clock = clock
        self._tracing = tracing

    def call(self, method: str, transport: str, metadata: MetadataPairs) -> Record:
        """A call of the full `method` name, to be entered where it begins."""
        if self._tracing is None:
            return Record(self, method, transport)
        span = self._tracing.server_span(method, metadata)
        return TracedRecord(self, method, transport, span)


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

"""Structured log lines, on standard error: for people on a terminal, as JSON elsewhere.

What is logged says which fields, methods and errors, never tokens, connection strings or what was
asked for. Exceptions come without the values of variables, which could be any of these.
"""

from __future__ import annotations

import atexit
import io
import json
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Literal, TextIO

import structlog
from pydantic_core import PydanticSerializationError, to_json


def configure_logging(
    level: str, style: Literal["auto", "json", "console"], **always: object
) -> None:
    """Sets up structlog for this process; entries below `level` are dropped, all others carry
    what is to be there `always`. Warnings and errors of libraries become entries as well.

    Lines appear within a twentieth of a second, and those still to appear when the process ends.
    """
    console = sys.stderr.isatty() if style == "auto" else style == "console"
    renderers: list[structlog.typing.Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if console
        else [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(serializer=_encoded),
        ]
    )

    def mark(logger: object, name: str, entry: structlog.typing.EventDict) -> Mapping[str, Any]:
        return {**entry, **always}

    processors: list[structlog.typing.Processor] = [
        *([mark] if always else []),
        structlog.processors.add_log_level,
        structlog.processors.MaybeTimeStamper(fmt="iso", utc=True),
        *renderers,
    ]
    batches: Any = _Batches(sys.stderr)  # not quite a TextIO, but all of it that is used
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *processors],
        wrapper_class=_filtering(level),
        logger_factory=structlog.WriteLoggerFactory(batches),
    )
    _output.batches, _output.processors = batches, processors
    _output.json_with = None if console else always
    _output.level = _number(level)
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, _Forwarding)]
    root.addHandler(_Forwarding(logging.WARNING))


def _encoded(entry: Mapping[str, Any], **_: Any) -> str:
    try:
        return to_json(entry, fallback=repr).decode()
    except PydanticSerializationError:
        # Text that is not Unicode (lone surrogates).
        return json.dumps(entry, default=repr)


def show_from(level: str) -> None:
    """Drops entries below `level` from now on, of loggers made before as well."""
    # Loggers are put together anew for every entry, as they are not cached.
    structlog.configure(wrapper_class=_filtering(level))
    _output.level = _number(level)


def shows_debug() -> bool:
    """Whether entries of the level debug are shown; costs less than logging one in vain."""
    return _output.level <= logging.DEBUG


def tell(level: int, event: str, **fields: str | float) -> None:
    """Logs an entry as a logger does, at a fraction of the cost. For what every call has told of
    it."""
    batches, always = _output.batches, _output.json_with
    if batches is None:
        structlog.get_logger().log(level, event, **fields)
    elif level >= _output.level:
        entry = {**fields, "event": event, **structlog.contextvars.get_contextvars()}
        if always is None:
            # Lines for people take long to make: the thread that writes them does it.
            batches.put(partial(_line, level, time.time(), entry))
        else:
            made = {"level": _name_of(level), "timestamp": _timestamp(time.time())}
            batches.put(f"{_encoded({**entry, **always, **made})}\n")


def _line(level: int, at: float, entry: dict[str, Any]) -> str:
    line: Any = {**entry, "timestamp": _timestamp(at)}
    for processor in _output.processors:
        line = processor(None, _name_of(level), line)
    return f"{line}\n"


def _timestamp(at: float) -> str:
    seconds = int(at)
    return f"{_second(seconds)}.{int((at - seconds) * 1e6):06d}Z"


@lru_cache(4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache
def _name_of(level: int) -> str:
    return logging.getLevelName(level).lower()


@dataclass
class _Output:
    """How this process logs, once that is configured."""

    batches: _Batches | None = None
    processors: Sequence[structlog.typing.Processor] = ()
    json_with: Mapping[str, object] | None = None
    """What all entries have, where they are JSON."""
    level: int = logging.NOTSET


_output = _Output()


def _filtering(level: str) -> type[structlog.typing.FilteringBoundLogger]:
    """The class of loggers that drop entries below `level`."""
    return structlog.make_filtering_bound_logger(_number(level))


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


class _Forwarding(logging.Handler):
    """Makes entries of what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(record.getMessage(), logger=record.name, exc_info=record.exc_info)


class _Batches(io.TextIOBase):
    """Collects what is written, or functions that make it; a thread of its own passes it on, a
    batch at a time.

    Writing from the threads that answer calls would cost them several times as much: others take
    over at that moment. A batch goes out in one piece, as other processes may write to the stream.
    While the stream takes nothing, what is beyond `_MOST` pieces is lost.
    """

    _SECONDS = 0.05
    _MOST = 50_000

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pieces: deque[str | Callable[[], str]] = deque()
        self._lost = 0
        self._writing = threading.Lock()
        self._some = threading.Event()
        threading.Thread(target=self._pass_on, name="log", daemon=True).start()
        atexit.register(self._empty)

    def write(self, text: str, /) -> int:
        """Takes a piece of text."""
        self.put(text)
        return len(text)

    def put(self, piece: str | Callable[[], str]) -> None:
        """Takes a piece of text, or what makes it."""
        if len(self._pieces) >= self._MOST:
            self._lost += 1
            return
        self._pieces.append(piece)
        if not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        """Nothing: what was written appears soon enough."""

    def _pass_on(self) -> None:
        while True:
            self._some.wait()
            time.sleep(self._SECONDS)
            self._some.clear()
            self._empty()

    def _empty(self) -> None:
        with self._writing:
            pieces = self._taken()
            lost, self._lost = self._lost, 0
            if lost:
                structlog.get_logger(__name__).warning("log entries lost", number=lost)
                pieces += self._taken()
            batch = "".join(piece if isinstance(piece, str) else piece() for piece in pieces)
            if not batch:
                return
            try:
                self._stream.write(batch)
                self._stream.flush()
            except (OSError, ValueError):
                # A full disk, a pipe that nobody reads: told of once the stream takes something.
                self._lost += len(pieces)

    def _taken(self) -> list[str | Callable[[], str]]:
        return [self._pieces.popleft() for _ in range(len(self._pieces))]

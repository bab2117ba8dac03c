"""Structured log lines, on standard error: for people on a terminal, as JSON elsewhere.

What is logged says which fields, methods and errors, never tokens, connection strings or what was
asked for. Exceptions come without the values of variables, which could be any of these.
"""

from __future__ import annotations

import atexit
import io
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog


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
            structlog.processors.JSONRenderer(default=repr, ensure_ascii=False),
        ]
    )

    def mark(logger: object, name: str, entry: structlog.typing.EventDict) -> Mapping[str, Any]:
        return {**entry, **always}

    batches: Any = _Batches(sys.stderr)  # not quite a TextIO, but all of it that is used
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *([mark] if always else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=_filtering(level),
        logger_factory=structlog.WriteLoggerFactory(batches),
    )
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, _Forwarding)]
    root.addHandler(_Forwarding(logging.WARNING))


def show_from(level: str) -> None:
    """Drops entries below `level` from now on, of loggers made before as well."""
    # Loggers are put together anew for every entry, as they are not cached.
    structlog.configure(wrapper_class=_filtering(level))


def shows_debug() -> bool:
    """Whether entries of the level debug are shown; costs less than logging one in vain."""
    wrapper = structlog.get_config()["wrapper_class"]
    return wrapper is _filtering("debug") or wrapper is _filtering("notset")


def _filtering(level: str) -> type[structlog.typing.FilteringBoundLogger]:
    """The class of loggers that drop entries below `level`; the same one for the same level."""
    return structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()])


class _Forwarding(logging.Handler):
    """Makes entries of what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(record.getMessage(), logger=record.name, exc_info=record.exc_info)


class _Batches(io.TextIOBase):
    """Collects what is written; a thread of its own passes it on, a batch at a time.

    Writing from the threads that answer calls would cost them several times as much: others take
    over at that moment. A batch goes out in one piece, as other processes may write to the stream.
    """

    _SECONDS = 0.05

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pieces: deque[str] = deque()
        self._writing = threading.Lock()
        self._some = threading.Event()
        threading.Thread(target=self._pass_on, name="log", daemon=True).start()
        atexit.register(self._empty)

    def write(self, text: str, /) -> int:
        """Takes a piece of text."""
        self._pieces.append(text)
        if not self._some.is_set():
            self._some.set()
        return len(text)

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
            batch = "".join(self._pieces.popleft() for _ in range(len(self._pieces)))
            if batch:
                self._stream.write(batch)
                self._stream.flush()

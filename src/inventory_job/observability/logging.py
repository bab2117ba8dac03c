"""Structured log lines, on standard error: for people on a terminal, as JSON elsewhere.

What is logged says which fields, methods and errors, never tokens, connection strings or values of
queries. Exceptions come without the values of variables, which could be any of these.
"""

from __future__ import annotations

import atexit
import io
import logging
import re
import sys
import threading
import time
import warnings
from collections import deque
from typing import Any, Literal, TextIO

import structlog

# What terminals take for commands or for the end of a line; in JSON it is escaped anyway.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logging(level: str, style: Literal["auto", "json", "console"]) -> None:
    """Sets up structlog for this process; entries below `level` are dropped. Warnings and errors
    of libraries become entries as well.

    Lines appear within a twentieth of a second, and those still to appear when the process ends.
    """
    console = is_for_people(style)
    renderers: list[structlog.typing.Processor] = (
        [
            _escape_values,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
        if console
        else [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(separators=(",", ":")),
        ]
    )
    batches: Any = _Batches(sys.stderr)  # not quite a TextIO, but all of it that is used
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.MaybeTimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(batches),
    )
    warnings.showwarning = _log_warning
    logging.getLogger().addHandler(_FORWARDING)


def is_for_people(style: Literal["auto", "json", "console"]) -> bool:
    """Whether `configure_logging` makes lines for people of this style."""
    return sys.stderr.isatty() if style == "auto" else style == "console"


def print_plainly(text: str) -> None:
    """Writes `text` where the log goes, behind the entries logged before, as it is."""
    structlog.get_config()["logger_factory"]().info(text)


def _escape_values(logger: object, name: str, entry: structlog.typing.EventDict) -> Any:
    """A processor, for lines whose renderer leaves control characters in texts."""
    return {
        key: _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
        if isinstance(value, str)
        else value
        for key, value in entry.items()
    }


def _log_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Makes an entry of what a library warns of; as `warnings.showwarning`."""
    structlog.get_logger(__name__).warning(str(message), logger=category.__name__)


def show_from(level: str) -> None:
    """Drops entries below `level` from now on, of loggers made before as well."""
    # Loggers are put together anew for every entry, as they are not cached.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))


class _Forwarding(logging.Handler):
    """Makes entries of what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(record.getMessage(), logger=record.name, exc_info=record.exc_info)


_FORWARDING = _Forwarding(logging.WARNING)


class _Batches(io.TextIOBase):
    """Collects what is written; a thread of its own passes it on, a batch at a time.

    The event loop must not wait for a slow reader of the log. A batch goes out in one piece, as
    other processes may write to the stream. While the stream takes nothing, what is beyond `_MOST`
    pieces is lost.
    """

    _SECONDS = 0.05
    _MOST = 50_000

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pieces: deque[str] = deque()
        self._lost = 0
        self._writing = threading.Lock()
        self._some = threading.Event()
        threading.Thread(target=self._pass_on, name="log", daemon=True).start()
        atexit.register(self._empty)

    def write(self, text: str, /) -> int:
        """Takes a piece of text."""
        if len(self._pieces) < self._MOST:
            self._pieces.append(text)
            self._some.set()
        else:
            self._lost += 1
        return len(text)

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
            try:
                self._stream.write("".join(pieces))
                self._stream.flush()
            except (OSError, ValueError):
                # A full disk, a pipe that is not read: logged once the stream takes something.
                self._lost += len(pieces)

    def _taken(self) -> list[str]:
        return [self._pieces.popleft() for _ in range(len(self._pieces))]

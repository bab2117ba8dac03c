"""Structured logging to standard error: readable lines on a terminal, JSON elsewhere.

Entries name fields, methods and errors, but never hold tokens, connection strings or values of
queries. Tracebacks omit the values of local variables, which could be any of these.
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

# Characters that terminals treat as commands or line ends; the JSON renderer escapes them.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logging(level: str, style: Literal["auto", "json", "console"]) -> None:
    """Configures structlog for this process. Entries below `level` are dropped. Warnings and errors
    of libraries become entries as well.

    Entries are buffered for 50 ms at most; the rest is written when the process exits.
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
    batches: Any = _Batches(sys.stderr)  # implements what structlog uses of TextIO
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
    """Whether `configure_logging` writes readable lines, not JSON, for this style."""
    return sys.stderr.isatty() if style == "auto" else style == "console"


def print_plainly(text: str) -> None:
    """Writes `text` unchanged to the log's stream, after the entries logged before it."""
    structlog.get_config()["logger_factory"]().info(text)


def _escape_values(logger: object, name: str, entry: structlog.typing.EventDict) -> Any:
    """A structlog processor that escapes control characters, which ConsoleRenderer does not."""
    return {
        key: _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
        if isinstance(value, str)
        else value
        for key, value in entry.items()
    }


def _log_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Logs a warning from the warnings module; replaces `warnings.showwarning`."""
    structlog.get_logger(__name__).warning(str(message), logger=category.__name__)


def show_from(level: str) -> None:
    """Drops entries below `level` from now on, those of existing loggers included."""
    # Existing loggers follow: as nothing is cached, each entry reads the configuration anew.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))


class _Forwarding(logging.Handler):
    """Turns records of the standard library's logging into structlog entries."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(record.getMessage(), logger=record.name, exc_info=record.exc_info)


_FORWARDING = _Forwarding(logging.WARNING)


class _Batches(io.TextIOBase):
    """Buffers text; a thread of its own writes it to `stream`, every `_SECONDS`.

    This way the event loop never waits for a slow reader of the log. Each batch is a single write,
    as other processes may write to the same stream. While the stream blocks, the buffer grows to
    `_MOST` pieces of text; more are dropped and counted.
    """

    _SECONDS = 0.05
    _MOST = 50_000

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pieces: deque[str] = deque()
        self._lost = 0
        self._write_lock = threading.Lock()
        self._has_pieces = threading.Event()
        threading.Thread(target=self._write_batches, name="log", daemon=True).start()
        atexit.register(self._write_batch)

    def write(self, text: str, /) -> int:
        """Buffers `text`, or drops it when the buffer is full."""
        if len(self._pieces) < self._MOST:
            self._pieces.append(text)
            self._has_pieces.set()
        else:
            self._lost += 1
        return len(text)

    def _write_batches(self) -> None:
        while True:
            self._has_pieces.wait()
            time.sleep(self._SECONDS)
            self._has_pieces.clear()
            self._write_batch()

    def _write_batch(self) -> None:
        with self._write_lock:
            pieces = self._take_all()
            if lost := self._lost:
                structlog.get_logger(__name__).warning("log entries lost", number=lost)
                pieces += self._take_all()
            try:
                self._stream.write("".join(pieces))
                self._stream.flush()
                self._lost -= lost
            except (OSError, ValueError):
                # A full disk or a broken pipe: the next batch that is written reports the loss.
                self._lost += len(pieces)

    def _take_all(self) -> list[str]:
        return [self._pieces.popleft() for _ in range(len(self._pieces))]

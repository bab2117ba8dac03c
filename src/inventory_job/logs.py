"""Structured log lines, on standard error: for people on a terminal, as JSON elsewhere."""

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
    what is to be there `always`.

    Lines appear within a twentieth of a second, and those still to appear when the process ends.
    """
    console = sys.stderr.isatty() if style == "auto" else style == "console"
    renderers: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if console
        else [
            structlog.processors.dict_tracebacks,
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
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(batches),
    )


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

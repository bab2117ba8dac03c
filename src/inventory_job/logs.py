"""Structured log lines, on standard error: for people on a terminal, as JSON elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, Literal

import structlog


def configure_logging(
    level: str, style: Literal["auto", "json", "console"], **always: object
) -> None:
    """Sets up structlog for this process; entries below `level` are dropped, all others carry
    what is to be there `always`."""

    def mark(logger: object, name: str, entry: structlog.typing.EventDict) -> Mapping[str, Any]:
        return {**entry, **always}

    console = sys.stderr.isatty() if style == "auto" else style == "console"
    renderers: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if console
        else [
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(default=repr, ensure_ascii=False),
        ]
    )
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
        # Writes a line at once: several processes may write to the same place.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )

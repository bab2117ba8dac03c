"""Standard output of every command: escapes characters that it cannot encode, and ends the command
with an error message when a write fails."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

_FAILED = 1


class OutputLost(Exception):
    """Standard output is closed or a write failed. Not an OSError, so that no handler in between
    takes it for another failure or ignores it."""


class _Guarded(io.TextIOBase):
    """Wraps `stream`, None if standard output is closed; raises OutputLost if a write fails."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding if self._stream else "utf-8"

    def write(self, text: str, /) -> int:
        if self._stream is None:
            raise OutputLost("it is closed")
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputLost(error.strerror) from error

    def flush(self) -> None:
        try:
            if self._stream:
                self._stream.flush()
        except OSError as error:
            raise OutputLost(error.strerror) from error

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno() if self._stream else super().fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Guards standard output within the context. Exits with 1 and a message on standard error
    when it is closed or full."""
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    guarded = _Guarded(stream)
    sys.stdout = cast(TextIO, guarded)
    try:
        try:
            yield
        finally:
            guarded.flush()
    except OutputLost as lost:
        sys.stderr.write(f"inventory-job: standard output takes no more: {lost}\n")
        if stream is not None:
            # Buffered text would fail again when the interpreter flushes it at exit.
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
        sys.exit(_FAILED)
    finally:
        sys.stdout = stream

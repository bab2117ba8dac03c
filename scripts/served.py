"""A server of our own as a process of its own, for programs that measure or harm it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


def unwind_on_sigterm() -> None:
    """Has SIGTERM end this program as Ctrl-C does, with what it has started."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


class Served:
    """`python -m inventory_job serve` on a free port of loopback, without authentication, as a
    context manager.

    `settings` are names of settings and values as in the environment, of which nothing else is
    taken. The log goes to the file `log`. It may have no more than so many `descriptors` open, if
    they are given. Entering raises RuntimeError when it does not serve.
    """

    def __init__(
        self, log: Path, settings: Mapping[str, object], descriptors: int | None = None
    ) -> None:
        self._log = log
        self._settings = {"HTTP": "false", "PORT": 0, "LOG_FORMAT": "json", **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""
        """Host and port, once it serves."""
        self.http_address = ""
        """Those of HTTP, if it is served."""
        limit = f"--nofile={descriptors}:{descriptors}"
        self._limited = [] if descriptors is None else ["prlimit", limit]

    def __enter__(self) -> Self:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("INVENTORY_JOB_")
        }
        given = {f"INVENTORY_JOB_{name}": str(value) for name, value in self._settings.items()}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._limited, sys.executable, "-m", "inventory_job", "serve"],
                env=clean | given,
                stderr=log,
            )
        try:
            entry = self._await_serving()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.address = str(entry["address"])
        self.http_address = str(entry["http_address"] or "")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int:
        """The process."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def count(self, words: str) -> int:
        """How many lines of the log hold these words."""
        with self._log.open("rb") as log:
            return sum(words.encode() in line for line in log)

    def wait(self, seconds: float) -> int:
        """Waits for its end, at most so long; its exit status. Raises subprocess.TimeoutExpired."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.wait(seconds)

    def kill(self) -> None:
        """Ends it as a power failure would (kill -9)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _await_serving(self) -> dict[str, Any]:
        ends = time.monotonic() + _START_SECONDS
        while not (found := self._entries("serving")):
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > ends:
                raise RuntimeError(f"the server does not serve; see {self._log}")
            time.sleep(0.01)
        return found[0]

    def _entries(self, event: str) -> list[dict[str, Any]]:
        """The whole lines of the log about `event`."""
        lines = self._log.read_text("utf-8", "replace").split("\n")[:-1]
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if entry.get("event") == event]

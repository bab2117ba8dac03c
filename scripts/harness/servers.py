"""A server as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from harness.processes import Process

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


def unwind_on_sigterm() -> None:
    """Has SIGTERM end this program as Ctrl-C does, with what it has started."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


class ServerProcess:
    """`python -m inventory_job serve` on a free port of loopback, without authentication, as a
    context manager.

    `settings` are names of settings and values as in the environment, of which nothing else is
    taken. The log goes to the file `log`. The process may have at most `descriptors` open, if
    they are given. Entering raises RuntimeError when it does not serve.
    """

    def __init__(
        self, log: Path, settings: Mapping[str, object], descriptors: int | None = None
    ) -> None:
        self._log = log
        self._settings = {"HTTP": "false", "PORT": 0, "LOG_FORMAT": "json", **settings}
        self._process: subprocess.Popen[bytes]
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
            self.__exit__()
            raise
        self.address = str(entry["address"])
        self.http_address = str(entry["http_address"] or "")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.terminate()
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def process(self) -> Process:
        """The process."""
        return Process(self._process.pid)

    def count(self, words: str) -> int:
        """How many lines of the log hold these words."""
        with self._log.open("rb") as log:
            return sum(words.encode() in line for line in log)

    def terminate(self, seconds: float = _STOP_SECONDS) -> None:
        """Ends it as a cluster does (SIGTERM); raises subprocess.TimeoutExpired if that takes
        longer."""
        self._process.terminate()
        self._process.wait(seconds)

    def kill(self) -> None:
        """Ends it as a power failure would (kill -9)."""
        self._process.kill()
        self._process.wait()

    def _await_serving(self) -> dict[str, Any]:
        """The entry of the log that says where it serves."""
        ends = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < ends:
            for line in self._log.read_text("utf-8", "replace").split("\n")[:-1]:
                entry = json.loads(line) if line.startswith("{") else {}
                if entry.get("event") == "serving":
                    return dict(entry)
            time.sleep(0.01)
        raise RuntimeError(f"the server does not serve; see {self._log}")

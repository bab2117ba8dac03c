"""A private MongoDB server for development, demonstrations and tests.

It listens on the loopback interface only, and without authentication: every program
on the machine may use it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import platformdirs
import structlog

from inventory_job.embedded.data_directory import DataDirectory, EmbeddedError
from inventory_job.embedded.process import becomes_primary, end, spawn, uri_of

_STEADY_SECONDS = 60.0
_LONGEST_PAUSE = 30.0
_MOST_CHARACTERS = 300
_OTHER_WAY = (
    " It is the one on PATH; where there is none, that of pip install 'inventory-job[embedded]' "
    "is used."
)


class MongodNotFound(EmbeddedError):
    """No mongod binary was found on this machine."""


class MongodFailed(EmbeddedError):
    """mongod ended or was not ready in time; the message ends with the last lines of its log."""


def default_data_dir() -> Path:
    """The default data directory: `inventory-job/mongod` in the user's data directory."""
    return platformdirs.user_data_path("inventory-job", appauthor=False) / "mongod"


def find_mongod() -> Path:
    """The path of the mongod binary: the one on PATH, else that of the `embedded` extra.

    Raises MongodNotFound, whose message says how to get one.
    """
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    # Found without an import: a full `fiftyone` starts a database of its own when imported.
    package = importlib.util.find_spec("fiftyone")
    for location in (package and package.submodule_search_locations) or ():
        binary = Path(location) / "db" / "bin" / "mongod"
        if os.access(binary, os.X_OK):
            return binary
    raise MongodNotFound(
        "No MongoDB server program (mongod) was found. Either give the address of a running "
        "server (--mongo-uri or INVENTORY_JOB_MONGO_URI), or install mongod so that it is on "
        "PATH, or install the one for development: pip install 'inventory-job[embedded]'."
    )


@contextmanager
def embedded_mongod(
    data_dir: Path,
    *,
    binary: Path | None = None,
    start_seconds: float = 60.0,
    stop_seconds: float = 20.0,
) -> Iterator[str]:
    """Runs a private mongod as a replica set of one, so that transactions work. Yields its
    connection string, whose port differs from start to start.

    mongod ends with this process, even if the process is killed. If mongod itself ends, that is
    logged and mongod is started again on the same port. It runs in a session of its own, so that
    Ctrl-C reaches only the server, which drains before mongod ends.

    Args:
        data_dir: where the data lives, created when absent.
        binary: the mongod to run; default `find_mongod()`.
        start_seconds: how long mongod may take to listen, and again to become a writable primary.
        stop_seconds: how long mongod may take to shut down before it is killed.

    Raises MongodNotFound, DataDirectoryInUse, MongodFailed, and OSError when the directory cannot
    be written.
    """
    found = binary or find_mongod()
    directory = DataDirectory(data_dir)
    with (
        directory.owned() as lock,
        closing(_Mongod(found, directory, start_seconds, stop_seconds)) as mongod,
    ):
        uri = mongod.start()
        lock.write(uri.encode())
        yield uri


class _Mongod:
    """A mongod that is started again whenever it ends, until `close`."""

    def __init__(
        self, binary: Path, directory: DataDirectory, start_seconds: float, stop_seconds: float
    ) -> None:
        self._binary = binary
        self._directory = directory
        self._start_seconds = start_seconds
        self._spawn = partial(spawn, binary, directory, stop_seconds)
        self._port = 0
        self._process = self._spawn(self._port)
        self._keeper = threading.Thread(target=self._restart, daemon=True)
        self._stopping = threading.Event()
        self._log = structlog.get_logger(__name__)

    def start(self) -> str:
        """Waits until mongod takes writes; returns its connection string. Raises MongodFailed."""
        port = becomes_primary(self._process, self._directory, self._start_seconds)
        if port is None:
            code = self._process.poll()
            late = f"was not ready within {self._start_seconds:g} seconds"
            what = late if code is None else f"ended with code {code}"
            # find_mongod uses the extra's mongod only if there is none on PATH.
            way_out = _OTHER_WAY if str(self._binary) == shutil.which("mongod") else ""
            log, words = self._directory.log, "\n".join(self._directory.last_words())
            raise MongodFailed(f"mongod ({self._binary}) {what}.{way_out} From {log}:\n{words}")
        self._port = port
        self._keeper.start()
        return uri_of(port)

    def close(self) -> None:
        """Stops mongod and the thread that restarts it."""
        self._stopping.set()
        end(self._process)
        while self._keeper.is_alive():
            # The thread may be about to start another mongod.
            self._keeper.join(0.1)
            end(self._process)

    def _restart(self) -> None:
        """Restarts mongod on its port whenever it ends; the pauses grow from 0 to 30 seconds."""
        deaths, started = 0, time.monotonic()
        while True:
            code = self._process.wait()
            if self._stopping.is_set():
                return
            end(self._process)
            deaths = 0 if time.monotonic() - started > _STEADY_SECONDS else deaths
            pause = min(2.0**deaths - 1, _LONGEST_PAUSE)
            deaths += 1
            self._log.error(
                "embedded mongod ended",
                exitcode=code,
                pause_seconds=pause,
                last_lines=[line[:_MOST_CHARACTERS] for line in self._directory.last_words()],
            )
            if self._stopping.wait(pause):
                return
            started = time.monotonic()
            try:
                self._process = self._spawn(self._port)
                if becomes_primary(self._process, self._directory, self._start_seconds):
                    self._log.info("embedded mongod runs again", port=self._port)
                else:
                    end(self._process)
            except OSError as error:
                # A full disk, for instance, which may also be why mongod ended.
                self._log.error("embedded mongod not started", reason=str(error))

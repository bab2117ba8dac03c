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
    """No mongod binary on this machine."""


class MongodFailed(EmbeddedError):
    """mongod ended or was not ready in time; the message ends with the last lines of its log."""


def default_data_dir() -> Path:
    """The data directory when none is configured: `inventory-job/mongod` in the user's data."""
    return platformdirs.user_data_path("inventory-job", appauthor=False) / "mongod"


def find_mongod() -> Path:
    """The mongod binary: the one on PATH, else that of the `embedded` extra.

    Raises MongodNotFound, whose message says how to get one.
    """
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    # Looked up without importing: a full `fiftyone` starts a database of its own when imported.
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
    """Runs a mongod of our own: a replica set of one, so that transactions work. Gives its
    connection string, whose port differs from start to start.

    It ends with this process, however that dies. Where mongod ends by itself that is logged, and it
    is started again on the same port. It runs in a session of its own, so that Ctrl-C reaches only
    the server, which drains first.

    Args:
        data_dir: where the data lives, created when absent.
        binary: the mongod to run; default `find_mongod()`.
        start_seconds: how long it may take to become a writable primary.
        stop_seconds: how long it may take to end by itself before it is killed.

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
    """A mongod that is started again whenever it ends, until it is closed."""

    def __init__(
        self, binary: Path, directory: DataDirectory, start_seconds: float, stop_seconds: float
    ) -> None:
        self._binary = binary
        self._directory = directory
        self._start_seconds = start_seconds
        self._spawn = partial(spawn, binary, directory, stop_seconds)
        self._port = 0
        self._process = self._spawn(self._port)
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._stopping = threading.Event()
        self._log = structlog.get_logger(__name__)

    def start(self) -> str:
        """Waits until it takes writes; its connection string. Raises MongodFailed."""
        port = becomes_primary(self._process, self._directory, self._start_seconds)
        if port is None:
            code = self._process.poll()
            late = f"was not ready within {self._start_seconds:g} seconds"
            what = late if code is None else f"ended with code {code}"
            # The wheel's is only looked for where there is none on PATH.
            way_out = _OTHER_WAY if str(self._binary) == shutil.which("mongod") else ""
            log, words = self._directory.log, "\n".join(self._directory.last_words())
            raise MongodFailed(f"mongod ({self._binary}) {what}.{way_out} From {log}:\n{words}")
        self._port = port
        self._keeper.start()
        return uri_of(port)

    def close(self) -> None:
        """Ends it."""
        self._stopping.set()
        end(self._process)
        while self._keeper.is_alive():
            # It may be about to start another one.
            self._keeper.join(0.1)
            end(self._process)

    def _keep(self) -> None:
        """Starts mongod again, on its port, after pauses that grow."""
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
                # A full disk, for instance, which is what may have ended it.
                self._log.error("embedded mongod not started", reason=str(error))

"""A private MongoDB server for development, demonstrations and tests.

It listens on the loopback interface only, and without authentication: every program
on the machine may use it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Self

import platformdirs
import structlog

from inventory_job.embedded.data_directory import DataDirectory, EmbeddedError, note
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

    def __init__(self) -> None:
        super().__init__(
            "No MongoDB server program (mongod) was found. Either give the address of a running "
            "server (--mongo-uri or INVENTORY_JOB_MONGO_URI), or install mongod so that it is on "
            "PATH, or install the one for development: pip install 'inventory-job[embedded]'."
        )


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
    raise MongodNotFound


class EmbeddedMongod:
    """A mongod of our own: a replica set of one, so that transactions work.

    Use as a context manager, or call `start` and `stop`. It ends with this process, however that
    dies. Where mongod ends by itself that is logged, and it is started again on the same port. It
    runs in a session of its own, so that Ctrl-C reaches only the server, which drains first.

    Args:
        data_dir: where the data lives, created when absent.
        binary: the mongod to run; default `find_mongod()`.
        start_seconds: how long it may take to become a writable primary.
        stop_seconds: how long it may take to end by itself before it is killed.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        binary: Path | None = None,
        start_seconds: float = 60.0,
        stop_seconds: float = 20.0,
    ) -> None:
        self._directory = DataDirectory(data_dir)
        self._binary = binary
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._keeper: threading.Thread | None = None
        self._stopping = threading.Event()
        self._log = structlog.get_logger(__name__)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def data_dir(self) -> Path:
        """The directory that holds the data; absolute."""
        return self._directory.path

    @property
    def uri(self) -> str:
        """Connection string of the running server; its port differs from start to start.

        Raises RuntimeError when it has not been started.
        """
        if self._keeper is None:
            raise RuntimeError("the embedded database is not running")
        return uri_of(self._port)

    def start(self) -> None:
        """Start mongod and wait until it takes writes.

        Raises MongodNotFound, DataDirectoryInUse, MongodFailed, and OSError when the directory
        cannot be written.
        """
        if self._lock is not None:
            raise RuntimeError("the embedded database has been started already")
        binary = self._binary or find_mongod()
        self._lock = self._directory.acquire()
        self._stopping.clear()
        self._port = 0
        try:
            self._launch(binary)
            note(self._lock, uri_of(self._port))
        except BaseException:
            self.stop()
            raise
        self._keeper = threading.Thread(target=self._keep, args=(binary,), daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """End mongod and give the directory back; harmless when it is not running."""
        self._stopping.set()
        if self._process is not None:
            end(self._process)
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
        self._process = None
        if self._lock is not None:
            os.truncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def _run(self, binary: Path) -> bool:
        """Starts mongod, on the port it had before if it had one; whether it takes writes in
        time."""
        self._process = process = spawn(binary, self._directory, self._port, self._stop_seconds)
        port = becomes_primary(
            self._directory,
            self._start_seconds,
            lambda: self._stopping.is_set() or process.poll() is not None,
        )
        self._port = port or self._port
        return port is not None

    def _launch(self, binary: Path) -> None:
        if self._run(binary):
            return
        code = self._process.poll() if self._process else None
        late = f"was not ready within {self._start_seconds:g} seconds"
        what = late if code is None else f"ended with code {code}"
        # The wheel's is only looked for where there is none on PATH.
        way_out = _OTHER_WAY if str(binary) == shutil.which("mongod") else ""
        log, words = self._directory.log, "\n".join(self._directory.last_words())
        raise MongodFailed(f"mongod ({binary}) {what}.{way_out} From {log}:\n{words}")

    def _keep(self, binary: Path) -> None:
        """Starts mongod again whenever it has ended, after pauses that grow, until `stop`."""
        deaths, started = 0, time.monotonic()
        while self._process is not None:
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
                if self._run(binary):
                    self._log.info("embedded mongod runs again", port=self._port)
                else:
                    end(self._process)
            except OSError as error:
                # A full disk, for instance, which is what may have ended it.
                self._log.error("embedded mongod not started", reason=str(error))

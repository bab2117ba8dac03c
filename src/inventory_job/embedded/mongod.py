"""A private MongoDB server for development, demonstrations and tests.

It listens on the loopback interface only, and without authentication: whoever may run programs
on the machine may use it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs
import structlog
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from inventory_job.embedded.data_directory import (
    DataDirectory,
    DataDirectoryInUse,
    EmbeddedError,
    ServerState,
)
from inventory_job.embedded.process import (
    EXIT_PORT_TAKEN,
    becomes_primary,
    free_port,
    is_primary,
    server_pid,
    spawn,
    uri_of,
)

__all__ = [
    "DataDirectoryInUse",
    "EmbeddedError",
    "EmbeddedMongod",
    "MongodFailed",
    "MongodNotFound",
    "default_data_dir",
    "find_mongod",
    "running_uri",
]

_PORT_ATTEMPTS = 3
_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Before mongod is started again, in seconds; the longer the more often it has ended."""
_STEADY_SECONDS = 60.0
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


def running_uri(data_dir: Path | None = None) -> str | None:
    """The connection string of the database that some process runs on `data_dir` right now.

    None when no process owns the directory or its server does not answer as a primary (within
    a second or so). `data_dir` defaults to `default_data_dir()`.
    """
    directory = DataDirectory((data_dir or default_data_dir()).absolute())
    state = directory.read_state()
    if state is None or state.uri is None or not _answers(state):
        return None
    return state.uri if directory.is_owned() else None


class EmbeddedMongod:
    """A mongod of our own: a replica set of one, so that transactions work.

    Use as a context manager, or call `start` and `stop`. It survives any death: of this process
    (mongod then ends too; a survivor is ended by the next owner), of mongod, of the machine. Where
    mongod ends by itself that is logged, and it is started again on the same port. It runs in a
    session of its own, so that Ctrl-C reaches only the server, which drains first.

    Args:
        data_dir: where the data lives, created when absent; default `default_data_dir()`.
        binary: the mongod to run; default `find_mongod()`.
        start_seconds: how long it may take to become a writable primary.
        stop_seconds: how long it may take to end by itself before it is killed.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        binary: Path | None = None,
        start_seconds: float = 60.0,
        stop_seconds: float = 20.0,
    ) -> None:
        self._directory = DataDirectory((data_dir or default_data_dir()).absolute())
        self._binary = binary
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._lock: int | None = None
        self._keeper: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._uri: str | None = None
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._log = structlog.get_logger(__name__)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
        if self._uri is None:
            raise RuntimeError("the embedded database is not running")
        return self._uri

    def start(self) -> None:
        """Start mongod and wait until it takes writes.

        Raises MongodNotFound, DataDirectoryInUse, MongodFailed, OSError when the directory
        cannot be written, EmbeddedError on Windows.
        """
        if sys.platform == "win32":
            raise EmbeddedError(
                "The embedded database does not run on Windows; give the address of a running "
                "server (--mongo-uri or INVENTORY_JOB_MONGO_URI)."
            )
        if self._keeper is not None:
            raise RuntimeError("the embedded database has been started already")
        binary = self._binary or find_mongod()
        self._lock = self._directory.acquire()
        try:
            self._directory.end_orphan()
            self._stopping.clear()
            ready: Future[str] = Future()
            # Linux ties mongod's life to the *thread* that starts it: the caller's may be short.
            self._keeper = threading.Thread(
                target=self._keep, args=(binary, ready), name="mongod-keeper", daemon=True
            )
            self._keeper.start()
            self._uri = ready.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End mongod and give the directory back; harmless when it is not running."""
        with self._changing:
            self._stopping.set()
            process, self._process, self._uri = self._process, None, None
        if process is not None:
            self._directory.clear_state()
            process.terminate()
            try:
                process.wait(self._stop_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _keep(self, binary: Path, ready: Future[str]) -> None:
        """Starts mongod, and again whenever it has ended, until all of it is to stop."""
        try:
            port = self._launch(binary)
        except Exception as error:  # noqa: BLE001  the caller gets it
            ready.set_exception(error)
            return
        started, deaths = time.monotonic(), 0
        ready.set_result(uri_of(port))
        while (code := self._await_end()) is not None:
            deaths = 0 if time.monotonic() - started > _STEADY_SECONDS else deaths + 1
            pause = _PAUSES[min(max(deaths - 1, 0), len(_PAUSES) - 1)]
            lines = self._directory.last_words().splitlines()
            self._log.error(
                "embedded mongod ended",
                exitcode=code,
                pause_seconds=pause,
                last_lines=[line[:_MOST_CHARACTERS] for line in lines],
            )
            if self._stopping.wait(pause):
                return
            started = time.monotonic()
            try:
                if self._run(binary, port):
                    self._log.info("embedded mongod runs again", port=port)
            except OSError as error:
                # A full disk, for instance, which is what may have ended it.
                self._log.error("embedded mongod not started", reason=str(error))

    def _await_end(self) -> int | None:
        """The code that mongod ends with by itself; None when it is to stop."""
        process = self._process
        code = None if process is None else process.wait()
        return None if self._stopping.is_set() else code

    def _launch(self, binary: Path) -> int:
        """The port that mongod takes writes on; raises MongodFailed."""
        for _ in range(_PORT_ATTEMPTS):
            port = free_port()
            if self._run(binary, port):
                return port
            # Someone may have taken the port between its choice and its use.
            if self._process is None or self._process.poll() != EXIT_PORT_TAKEN:
                break
        raise self._failure(binary)

    def _run(self, binary: Path, port: int) -> bool:
        """Starts mongod; whether it takes writes in time. What does not is ended, once there has
        been one that did."""
        self._directory.rotate_log()
        with self._changing:
            if self._stopping.is_set():
                return False
            self._process = process = spawn(binary, self._directory, port)
            self._directory.write_state(ServerState(process.pid, None))
        is_ready = becomes_primary(process, port, self._start_seconds)
        with self._changing:
            if self._stopping.is_set():
                return False
            if is_ready:
                self._directory.write_state(ServerState(process.pid, uri_of(port)))
            elif self._uri is not None:
                process.kill()
        return is_ready

    def _failure(self, binary: Path) -> MongodFailed:
        code = self._process.poll() if self._process else None
        what = (
            f"was not ready within {self._start_seconds:g} seconds"
            if code is None
            else f"ended with code {code}"
        )
        log = self._directory.log
        # The wheel's is only looked for where there is none on PATH.
        way_out = _OTHER_WAY if str(binary) == shutil.which("mongod") else ""
        return MongodFailed(
            f"mongod ({binary}) {what}.{way_out} From {log}:\n{self._directory.last_words()}"
        )


def _answers(state: ServerState) -> bool:
    try:
        with MongoClient[dict[str, Any]](
            state.uri, serverSelectionTimeoutMS=1000, socketTimeoutMS=1000
        ) as client:
            return is_primary(client) and server_pid(client) == state.pid
    except PyMongoError:
        return False

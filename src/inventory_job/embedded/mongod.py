"""A private MongoDB server for development, demonstrations and tests.

It listens on the loopback interface only, and without authentication: whoever may run programs
on the machine may use it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from inventory_job.embedded.data_directory import (
    DataDirectory,
    DataDirectoryInUse,
    EmbeddedError,
    ServerState,
    wait_until,
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

_REPLICA_SET = "inventory-job"
_PORT_ATTEMPTS = 3
_EXIT_PORT_TAKEN = 48
_NOT_YET_INITIALIZED = 94

# Runs in the child and becomes mongod. Doing this between fork and exec instead would run Python
# in a copy of a process with threads, which can deadlock.
_GUARD = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the owner is gone")
signal.pthread_sigmask(signal.SIG_SETMASK, ())
os.execv(sys.argv[2], sys.argv[2:])
"""


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
    (mongod then ends too; a survivor is ended by the next owner), of mongod, of the machine. It
    runs in a session of its own, so that Ctrl-C reaches only the server, which drains first.

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
        self._keeper: ThreadPoolExecutor | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._uri: str | None = None

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
        if self._process is not None:
            raise RuntimeError("the embedded database has been started already")
        binary = self._binary or find_mongod()
        self._lock = self._directory.acquire()
        try:
            self._directory.end_orphan()
            self._directory.rotate_log()
            # Linux ties mongod's life to the *thread* that starts it: the caller's may be short.
            self._keeper = ThreadPoolExecutor(1, thread_name_prefix="mongod-keeper")
            self._launch(binary, self._keeper)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End mongod and give the directory back; harmless when it is not running."""
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
            self._keeper.shutdown()
            self._keeper = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _launch(self, binary: Path, keeper: ThreadPoolExecutor) -> None:
        for _ in range(_PORT_ATTEMPTS):
            port = _free_port()
            arguments = _arguments(binary, self._directory, port)
            process = keeper.submit(_spawn, arguments, self._directory.log).result()
            self._process = process
            self._directory.write_state(ServerState(process.pid, None))
            if _becomes_primary(process, port, self._start_seconds):
                self._uri = _uri(port)
                self._directory.write_state(ServerState(process.pid, self._uri))
                return
            # Someone may have taken the port between its choice and its use.
            if process.poll() != _EXIT_PORT_TAKEN:
                break
        raise self._failure()

    def _failure(self) -> MongodFailed:
        code = self._process.poll() if self._process else None
        what = (
            f"mongod was not ready within {self._start_seconds:g} seconds"
            if code is None
            else f"mongod ended with code {code}"
        )
        log = self._directory.log
        return MongodFailed(f"{what}; from {log}:\n{self._directory.last_words()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _arguments(binary: Path, directory: DataDirectory, port: int) -> list[str]:
    return [
        str(binary),
        directory.dbpath_argument,
        f"--port={port}",
        "--bind_ip=127.0.0.1",
        "--nounixsocket",
        f"--replSet={_REPLICA_SET}",
        "--quiet",
        # Small: by default it takes half the memory and 300 MB of journal to begin with.
        "--oplogSize=64",
        "--wiredTigerCacheSizeGB=0.25",
        "--wiredTigerEngineConfigString=log=(prealloc=false,file_max=8MB)",
        "--setParameter=diagnosticDataCollectionEnabled=false",
    ]


def _spawn(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start mongod so that on Linux it gets SIGTERM when the calling thread ends."""
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  the program was found, the rest is ours
            [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _uri(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?directConnection=true&replicaSet={_REPLICA_SET}"


def _becomes_primary(process: subprocess.Popen[bytes], port: int, seconds: float) -> bool:
    """Whether mongod takes writes in time; False as soon as it has ended."""
    # Without the set's name: until it is configured the server does not know it. Clients of the
    # database are opened later: one opened before the configuration has no sessions.
    client: MongoClient[dict[str, Any]] = MongoClient(
        "127.0.0.1",
        port,
        directConnection=True,
        serverSelectionTimeoutMS=500,
        socketTimeoutMS=10_000,
        connect=False,
    )
    configured = False

    def settled() -> bool:
        nonlocal configured
        if process.poll() is not None:
            return True
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=0.5):
                pass
            if not configured:
                configured = _configure(client, process.pid, f"127.0.0.1:{port}")
            return configured and _is_primary(client)
        except (OSError, PyMongoError):
            # Not yet: the log has the reason should it stay so.
            return False

    with client:
        return wait_until(settled, seconds) and process.poll() is None


def _configure(client: MongoClient[dict[str, Any]], pid: int, host: str) -> bool:
    """Make the server the only member of its set, at this address; False for a stranger's."""
    if _server_pid(client) != pid:
        return False
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as exc:
        if exc.code != _NOT_YET_INITIALIZED:
            raise
        members = [{"_id": 0, "host": host}]
        settings = {"electionTimeoutMillis": 1000}
        fresh = {"_id": _REPLICA_SET, "members": members, "settings": settings}
        client.admin.command("replSetInitiate", fresh)
    else:
        # The stored configuration has the port of an earlier start, so there is no majority.
        config["version"] += 1
        config["members"][0]["host"] = host
        client.admin.command("replSetReconfig", config, force=True)
    return True


def _server_pid(client: MongoClient[dict[str, Any]]) -> int:
    return int(client.admin.command("serverStatus")["pid"])


def _is_primary(client: MongoClient[dict[str, Any]]) -> bool:
    return bool(client.admin.command("hello").get("isWritablePrimary"))


def _answers(state: ServerState) -> bool:
    try:
        with MongoClient[dict[str, Any]](
            state.uri, serverSelectionTimeoutMS=1000, socketTimeoutMS=1000
        ) as client:
            return _is_primary(client) and _server_pid(client) == state.pid
    except PyMongoError:
        return False

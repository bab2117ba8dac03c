"""A private MongoDB server for development, demonstrations and tests: a replica set of one.

It listens on the loopback interface only, and without authentication: every program
on the machine may use it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import platformdirs
import structlog
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from inventory_job.embedded.data_directory import DataDirectory, EmbeddedError, wait_until

_REPLICA_SET = "inventory-job"
_ALREADY_INITIALIZED = 23
_STEADY_SECONDS = 60.0
_LONGEST_PAUSE = 30.0
_MOST_CHARACTERS = 300
_OTHER_WAY = (
    " It is the one on PATH; where there is none, that of pip install 'inventory-job[embedded]' "
    "is used."
)

# Runs mongod and exits as mongod does. Ends mongod when stdin closes, so even if the owner crashes.
_GUARD = """
import os, subprocess, sys, threading, time
mongod = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
def end_with_owner():
    os.read(0, 1)
    mongod.terminate()
    # How long mongod may take to shut down: this process ends as soon as mongod has.
    time.sleep(float(sys.argv[1]))
    mongod.kill()
threading.Thread(target=end_with_owner, daemon=True).start()
code = mongod.wait()
if code < 0:
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def default_data_dir() -> Path:
    """The default data directory: `inventory-job/mongod` in the user's data directory."""
    return platformdirs.user_data_path("inventory-job", appauthor=False) / "mongod"


def find_mongod() -> Path:
    """The path of the mongod binary: the one on PATH, else that of the `embedded` extra.

    Raises EmbeddedError, whose message says how to get one.
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
    raise EmbeddedError(
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

    Raises EmbeddedError, and OSError when the directory cannot be written.
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
        self._stop_seconds = stop_seconds
        self._port = 0
        self._process = self._spawn()
        self._keeper = threading.Thread(target=self._restart, daemon=True)
        self._stopping = threading.Event()
        self._log = structlog.get_logger(__name__)

    def start(self) -> str:
        """Waits until mongod takes writes; returns its connection string. Raises EmbeddedError,
        whose message ends with the last lines of the log."""
        if not self._becomes_primary():
            code = self._process.poll()
            late = f"was not ready within {self._start_seconds:g} seconds"
            what = late if code is None else f"ended with code {code}"
            # find_mongod uses the extra's mongod only if there is none on PATH.
            way_out = _OTHER_WAY if str(self._binary) == shutil.which("mongod") else ""
            log, words = self._directory.log, "\n".join(self._directory.last_words())
            raise EmbeddedError(f"mongod ({self._binary}) {what}.{way_out} From {log}:\n{words}")
        self._keeper.start()
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true&replicaSet={_REPLICA_SET}"

    def close(self) -> None:
        """Stops mongod and the thread that restarts it."""
        self._stopping.set()
        self._end()
        while self._keeper.is_alive():
            # The thread may be about to start another mongod.
            self._keeper.join(0.1)
            self._end()

    def _restart(self) -> None:
        """Restarts mongod on its port whenever it ends; the pauses grow from 0 to 30 seconds."""
        deaths, started = 0, time.monotonic()
        while True:
            code = self._process.wait()
            if self._stopping.is_set():
                return
            self._end()
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
                self._process = self._spawn()
                if self._becomes_primary():
                    self._log.info("embedded mongod runs again", port=self._port)
                else:
                    self._end()
            except OSError as error:
                # A full disk, for instance, which may also be why mongod ended.
                self._log.error("embedded mongod not started", reason=str(error))

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Starts mongod on its port (0: a free one) below a guard process, in a session of its own.
        When this process ends, the guard terminates mongod, and later kills it."""
        arguments = [
            str(self._binary),
            f"--dbpath={self._directory.db}",
            f"--port={self._port}",
            "--bind_ip=127.0.0.1",
            "--nounixsocket",
            f"--replSet={_REPLICA_SET}",
            "--quiet",
            # By default mongod takes half of the memory, and 300 MB of journal from the start.
            "--oplogSize=64",
            "--wiredTigerCacheSizeGB=0.25",
            "--wiredTigerEngineConfigString=log=(prealloc=false,file_max=8MB)",
            "--setParameter=diagnosticDataCollectionEnabled=false",
        ]
        with self._directory.open_log() as output:
            return subprocess.Popen(  # noqa: S603  the program was found, the rest is ours
                [sys.executable, "-I", "-S", "-c", _GUARD, str(self._stop_seconds), *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end(self) -> None:
        """Ends the processes that `_spawn` started; harmless if they have ended."""
        process = self._process  # the thread that restarts mongod may set another one
        assert process.stdin is not None  # noqa: S101  a pipe
        process.stdin.close()
        process.wait()
        with suppress(ProcessLookupError):
            # If the guard was killed, mongod is still running.
            os.killpg(process.pid, signal.SIGKILL)

    def _becomes_primary(self) -> bool:
        """Waits until mongod takes writes; returns False if it ended, or took more than the seconds
        to start until it listened, or as long again to become primary."""

        def has_ended() -> bool:
            return self._process.poll() is not None

        directory, seconds = self._directory, self._start_seconds
        wait_until(lambda: has_ended() or directory.logged_port() is not None, seconds)
        port = directory.logged_port()
        if port is None:
            return False
        self._port = port
        # Without replicaSet: the server has no set name before it is configured. The service opens
        # its own client later, as a client opened before the configuration has no sessions.
        client: MongoClient[dict[str, Any]] = MongoClient(
            "127.0.0.1",
            port,
            directConnection=True,
            serverSelectionTimeoutMS=500,
            socketTimeoutMS=10_000,
        )
        with client:
            host = f"127.0.0.1:{port}"
            ready = wait_until(lambda: has_ended() or _is_primary(client, host), seconds)
            return ready and not has_ended()


def _is_primary(client: MongoClient[dict[str, Any]], host: str) -> bool:
    """Whether the server is primary; if need be, configures the set with `host` as only member."""
    try:
        hello = client.admin.command("hello")
        if hello.get("me") != host:
            _configure(client, host)
        return bool(hello["isWritablePrimary"])
    except PyMongoError:
        # Not ready yet; if that lasts, mongod's log has the reason.
        return False


def _configure(client: MongoClient[dict[str, Any]], host: str) -> None:
    members = [{"_id": 0, "host": host}]
    settings = {"electionTimeoutMillis": 1000}
    config = {"_id": _REPLICA_SET, "version": 1, "members": members, "settings": settings}
    try:
        client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALIZED:
            raise
        # The stored configuration has the port of an earlier start, so no primary can be elected.
        client.admin.command("replSetReconfig", config, force=True)

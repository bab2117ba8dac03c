"""One run of mongod as a replica set of one: started, configured, awaited until it takes writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from inventory_job.embedded.data_directory import DataDirectory, wait_until

_REPLICA_SET = "inventory-job"
_ALREADY_INITIALIZED = 23

# Runs mongod until the pipe to its owner breaks, however that one ends; ends as mongod does.
_GUARD = """
import os, subprocess, sys, threading, time
mongod = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
def end_with_owner():
    os.read(0, 1)
    mongod.terminate()
    time.sleep(float(sys.argv[1]))
    mongod.kill()
threading.Thread(target=end_with_owner, daemon=True).start()
code = mongod.wait()
if code < 0:
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def spawn(
    binary: Path, directory: DataDirectory, stop_seconds: float, port: int
) -> subprocess.Popen[bytes]:
    """Start mongod on a port, 0 for a free one, in a process group of its own, so that it ends
    when this process does; by force `stop_seconds` later."""
    arguments = [
        str(binary),
        f"--dbpath={directory.db}",
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
    with directory.open_log() as output:
        return subprocess.Popen(  # noqa: S603  the program was found, the rest is ours
            [sys.executable, "-I", "-S", "-c", _GUARD, str(stop_seconds), *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End what `spawn` started; harmless where it has ended."""
    assert process.stdin is not None  # noqa: S101  a pipe
    process.stdin.close()
    process.wait()
    with suppress(ProcessLookupError):
        # A guard that was killed leaves mongod.
        os.killpg(process.pid, signal.SIGKILL)


def uri_of(port: int) -> str:
    """Connection string of the server on that port."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true&replicaSet={_REPLICA_SET}"


def becomes_primary(
    process: subprocess.Popen[bytes], directory: DataDirectory, seconds: float
) -> int | None:
    """The port on which the process takes writes; None where that takes more than so many seconds,
    or it has ended."""

    def has_ended() -> bool:
        return process.poll() is not None

    wait_until(lambda: has_ended() or directory.logged_port() is not None, seconds)
    port = directory.logged_port()
    if port is None:
        return None
    # Without the set's name: until it is configured the server does not know it. Clients of the
    # database are opened later: one opened before the configuration has no sessions.
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
        return port if ready and not has_ended() else None


def _is_primary(client: MongoClient[dict[str, Any]], host: str) -> bool:
    """Whether the server takes writes; makes it the only member of its set, at this address."""
    try:
        hello = client.admin.command("hello")
        if hello.get("me") != host:
            _configure(client, host)
        return bool(hello["isWritablePrimary"])
    except PyMongoError:
        # Not yet: the log has the reason should it stay so.
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
        # The stored configuration has the port of an earlier start, so there is no majority.
        client.admin.command("replSetReconfig", config, force=True)

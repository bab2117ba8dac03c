"""Runs mongod as a replica set of one: starts it, configures it, waits until it is primary."""

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

# Runs mongod and exits as mongod does. Ends mongod when stdin closes, so even if the owner crashes.
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
    """Start mongod on `port` (0: a free one) below a guard process, in a session of its own. When
    this process ends, the guard terminates mongod, and kills it `stop_seconds` later."""
    arguments = [
        str(binary),
        f"--dbpath={directory.db}",
        f"--port={port}",
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
    with directory.open_log() as output:
        return subprocess.Popen(  # noqa: S603  the program was found, the rest is ours
            [sys.executable, "-I", "-S", "-c", _GUARD, str(stop_seconds), *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End the processes that `spawn` started; harmless if they have ended."""
    assert process.stdin is not None  # noqa: S101  a pipe
    process.stdin.close()
    process.wait()
    with suppress(ProcessLookupError):
        # If the guard was killed, mongod is still running.
        os.killpg(process.pid, signal.SIGKILL)


def uri_of(port: int) -> str:
    """The connection string of the server on `port`."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true&replicaSet={_REPLICA_SET}"


def becomes_primary(
    process: subprocess.Popen[bytes], directory: DataDirectory, seconds: float
) -> int | None:
    """Wait until mongod takes writes, and return its port; None if it ended, or took more than
    `seconds` to listen, or as long again to become primary."""

    def has_ended() -> bool:
        return process.poll() is not None

    wait_until(lambda: has_ended() or directory.logged_port() is not None, seconds)
    port = directory.logged_port()
    if port is None:
        return None
    # Without replicaSet: the server has no set name before it is configured. The service opens its
    # own client later, as a client opened before the configuration has no sessions.
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

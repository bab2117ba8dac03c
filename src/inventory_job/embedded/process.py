"""One run of mongod as a replica set of one: started, configured, asked whether it takes writes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from inventory_job.embedded.data_directory import DataDirectory, wait_until

EXIT_PORT_TAKEN = 48
"""What mongod ends with when somebody else listens on its port."""

_REPLICA_SET = "inventory-job"
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


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
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


def spawn(binary: Path, directory: DataDirectory, port: int) -> subprocess.Popen[bytes]:
    """Start mongod so that on Linux it gets SIGTERM when the calling thread ends."""
    arguments = _arguments(binary, directory, port)
    with directory.open_log() as output:
        return subprocess.Popen(  # noqa: S603  the program was found, the rest is ours
            [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def uri_of(port: int) -> str:
    """Connection string of the server on that port."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true&replicaSet={_REPLICA_SET}"


def becomes_primary(process: subprocess.Popen[bytes], port: int, seconds: float) -> bool:
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
            return configured and is_primary(client)
        except (OSError, PyMongoError):
            # Not yet: the log has the reason should it stay so.
            return False

    with client:
        return wait_until(settled, seconds) and process.poll() is None


def _configure(client: MongoClient[dict[str, Any]], pid: int, host: str) -> bool:
    """Make the server the only member of its set, at this address; False for a stranger's."""
    if server_pid(client) != pid:
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


def server_pid(client: MongoClient[dict[str, Any]]) -> int:
    """The process number of the server."""
    return int(client.admin.command("serverStatus")["pid"])


def is_primary(client: MongoClient[dict[str, Any]]) -> bool:
    """Whether the server takes writes."""
    return bool(client.admin.command("hello").get("isWritablePrimary"))

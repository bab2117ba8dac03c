"""The directory an embedded database lives in: who owns it, and what runs on it.

It holds `db/` (MongoDB's files), `mongod.log` and the log of the run before it, `owner.lock`
(locked while a process owns the directory) and `state.json` (where its server is found). All of it
can be read by its owner alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

_ORPHAN_SECONDS = 15.0
_LOG_LINES = 8
_MODE = 0o600


class EmbeddedError(Exception):
    """The embedded database cannot be had; the message says why and what would help."""


class DataDirectoryInUse(EmbeddedError):
    """Another process owns the data directory; `owner_pid` is None when it is not known."""

    def __init__(self, directory: Path, owner_pid: int | None) -> None:
        owner = "another process" if owner_pid is None else f"process {owner_pid}"
        super().__init__(
            f"The data directory {directory} is in use by {owner}. Stop that process or choose "
            "another one with --data-dir (INVENTORY_JOB_DATA_DIR)."
        )
        self.directory = directory
        self.owner_pid = owner_pid


@dataclass(frozen=True, slots=True)
class ServerState:
    """What another process needs to find the server; no `uri` before it takes writes."""

    pid: int
    uri: str | None


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The files below an absolute `path`, and the ownership of it."""

    path: Path

    @property
    def db(self) -> Path:
        return self.path / "db"

    @property
    def log(self) -> Path:
        return self.path / "mongod.log"

    @property
    def _lock(self) -> Path:
        return self.path / "owner.lock"

    @property
    def _state(self) -> Path:
        return self.path / "state.json"

    def acquire(self) -> int:
        """Create the directory if need be and own it, until the returned descriptor is closed
        or this process dies.

        Raises DataDirectoryInUse, and OSError when the directory cannot be written.
        """
        for directory in (self.path, self.db):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        # `is_owned` elsewhere holds the lock for a moment; an owner does not let go.
        if not wait_until(lambda: _try_lock(descriptor, fcntl.LOCK_EX), 0.3):
            os.close(descriptor)
            raise DataDirectoryInUse(self.path, _read_pid(self._lock))
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode("ascii"))
        return descriptor

    def is_owned(self) -> bool:
        """Whether some process, this one included, owns the directory now."""
        try:
            descriptor = os.open(self._lock, os.O_RDONLY)
        except OSError:
            return False
        try:
            return not _try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def read_state(self) -> ServerState | None:
        """What the last owner wrote; None when there is nothing readable."""
        try:
            found = json.loads(self._state.read_text("utf-8"))
            return ServerState(int(found["pid"]), found["uri"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_state(self, state: ServerState) -> None:
        """Replace the state in one step, so that no reader sees half of it."""
        fresh = self._state.with_suffix(".new")
        with open(fresh, "w", encoding="utf-8", opener=_private) as file:
            json.dump(asdict(state), file)
        fresh.replace(self._state)

    def clear_state(self) -> None:
        """Forget the server."""
        self._state.unlink(missing_ok=True)

    def end_orphan(self) -> None:
        """End a mongod that a dead owner left behind; only for the owner.

        A process is taken for one when it is on record here and runs on this very directory.
        Raises DataDirectoryInUse when it does not end.
        """
        state = self.read_state()
        recorded = {state.pid if state else None, _read_pid(self.db / "mongod.lock")}
        for pid in recorded:
            if pid is not None and not self._end(pid):
                raise DataDirectoryInUse(self.path, pid)

    def _end(self, pid: int) -> bool:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self._is_used_by(pid):
                return True
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            wait_until(lambda: not self._is_used_by(pid), _ORPHAN_SECONDS)
        return not self._is_used_by(pid)

    def _is_used_by(self, pid: int) -> bool:
        if sys.platform == "linux":
            try:
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                return False
            command = os.fsdecode(arguments.replace(b"\0", b" "))
        else:
            listing = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
            listed = subprocess.run(listing, capture_output=True, text=True, check=False)  # noqa: S603
            command = listed.stdout
        return f" {self.dbpath_argument} " in f"{command} "

    @property
    def dbpath_argument(self) -> str:
        """The argument of mongod that names this directory; a process is recognised by it."""
        return f"--dbpath={self.db}"

    def rotate_log(self) -> None:
        """Keep the log of one earlier run."""
        if self.log.exists():
            self.log.chmod(_MODE)
            self.log.replace(self.path / "mongod.previous.log")

    def open_log(self) -> BinaryIO:
        """The log of a run that begins, to be written to."""
        return open(self.log, "wb", opener=_private)

    def last_words(self) -> str:
        """The last errors in mongod's log, else its last lines."""
        try:
            lines = self.log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        errors = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
        return "\n".join((errors or lines)[-_LOG_LINES:])


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask until the condition holds; False when it still does not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def _private(path: str, flags: int) -> int:
    """Opens a file for its owner alone, also where an earlier version had made it for all."""
    descriptor = os.open(path, flags, _MODE)
    os.fchmod(descriptor, _MODE)
    return descriptor


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _try_lock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

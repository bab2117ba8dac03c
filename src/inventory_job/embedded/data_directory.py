"""The data directory of an embedded database, readable by its user alone.

It holds `db/` (MongoDB's files), `mongod.log` and `owner.lock`. The process that owns the directory
holds a lock (flock) on `owner.lock`, whose lines are its process id and its server's URI.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_LOCK_SECONDS = 0.3
_MONGOD_END_SECONDS = 15.0
_LOG_LINES = 8
_LISTENING = re.compile('"Waiting for connections","attr":{"port":([0-9]+)')
_MODE = 0o600


class EmbeddedError(Exception):
    """The embedded database is not available; the message says why and what would help."""


class DataDirectory:
    """The data directory at `path` and its files; all paths are absolute."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.db = self.path / "db"
        self.log = self.path / "mongod.log"
        self._lock = self.path / "owner.lock"

    @contextmanager
    def owned(self) -> Iterator[BinaryIO]:
        """Creates the directory if need be, and owns it until the context or the process ends.
        Yields the lock file; the caller writes the server's URI to it once that takes writes.

        Raises EmbeddedError if another process owns it, and OSError when it cannot be written.
        """
        for directory in (self.path, self.db):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._lock, "a+b", buffering=0, opener=_private) as lock:
            if not wait_until(lambda: _try_lock(lock), _LOCK_SECONDS):
                pid, _ = self._read_owner()
                raise self._in_use_by(f"process {pid}" if pid else "another process")
            lock.truncate(0)
            lock.write(b"%d\n" % os.getpid())
            if not wait_until(self._is_free, _MONGOD_END_SECONDS):
                raise self._in_use_by("a mongod whose owner has died")
            yield lock

    def _in_use_by(self, owner: str) -> EmbeddedError:
        return EmbeddedError(
            f"The data directory {self.path} is in use by {owner}. Stop that process or choose "
            "another one with --data-dir (INVENTORY_JOB_DATA_DIR)."
        )

    def _is_free(self) -> bool:
        """Whether no mongod uses the files; a mongod whose owner was killed ends soon."""
        try:
            with (self.db / "mongod.lock").open("rb") as lock:
                return _try_lock(lock)
        except FileNotFoundError:
            return True

    def running_uri(self) -> str | None:
        """The URI that the owner wrote; None without an owner, or before it has written one."""
        try:
            with self._lock.open("rb") as lock:
                return None if _try_lock(lock, fcntl.LOCK_SH) else self._read_owner()[1] or None
        except OSError:
            return None

    def _read_owner(self) -> tuple[str, str]:
        """The process id and the URI in the lock file; each is empty if not written."""
        pid, _, uri = self._lock.read_text("ascii").partition("\n")
        return pid, uri

    def open_log(self) -> BinaryIO:
        """Opens mongod's log for writing, emptied for a new run."""
        return open(self.log, "wb", opener=_private)

    def logged_port(self) -> int | None:
        """The port that mongod listens on; None until mongod has logged it."""
        found = _LISTENING.search(self.log.read_text("utf-8", "replace"))
        return int(found[1]) if found else None

    def last_words(self) -> list[str]:
        """The last errors in mongod's log; without errors, its last lines."""
        try:
            lines = self.log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return []
        errors = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
        return (errors or lines)[-_LOG_LINES:]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Polls until the condition holds; returns False if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def _try_lock(file: BinaryIO, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _private(path: str, flags: int) -> int:
    """An opener for files of mode 0600, also where an earlier version made them readable by all."""
    descriptor = os.open(path, flags, _MODE)
    os.fchmod(descriptor, _MODE)
    return descriptor

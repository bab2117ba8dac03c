"""What a process uses of the machine (Linux only)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from harness.threads import in_threads


@dataclass(frozen=True, slots=True)
class Process:
    """A process; its properties are read anew each time, and raise OSError without a process."""

    pid: int

    @property
    def memory(self) -> float:
        """Resident memory, in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def processor_seconds(self) -> float:
        """Processor time since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def threads(self) -> int:
        """The number of its threads."""
        return len([*Path(f"/proc/{self.pid}/task").iterdir()])

    @property
    def descriptors(self) -> int:
        """The number of its open descriptors."""
        return len([*Path(f"/proc/{self.pid}/fd").iterdir()])


def mongod_of(uri: str) -> Process:
    """The process of a MongoDB on this machine."""
    with MongoClient[dict[str, Any]](uri) as client:
        return Process(int(client.admin.command("serverStatus")["pid"]))


@contextmanager
def memory_samples(process: Process, seconds: float) -> Iterator[list[float]]:
    """The process's memory in MiB: at first, and every so many seconds until the context ends."""
    samples = [process.memory]

    def sample(stop: threading.Event) -> None:
        while not stop.wait(seconds):
            samples.append(process.memory)

    with in_threads([sample]):
        yield samples

"""The processes that are compared."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from bench_workloads import DOMAIN
from harness.servers import ServerProcess

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

_SCRIPTS = Path(__file__).parent
_IDLE_SECONDS = 0.02
_OK = '"status":"OK"'


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server: its name, port and process, and what tells of its calls, if there is."""

    name: str
    port: int
    pid: int
    served: ServerProcess | None = None

    def answered(self) -> int | None:
        """How many calls were answered with OK so far, if there is a log of them: the load takes
        refusals, which are quicker, for answers."""
        return None if self.served is None else self.served.count(_OK)

    def processes(self) -> list[int]:
        """The process and those it has started."""
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        return found

    def processor_seconds(self) -> float:
        """Processor time used so far."""
        return sum(map(processor_seconds, self.processes()))

    def rss_mib(self) -> float:
        """Memory in use."""
        return sum(map(rss_mib, self.processes()))


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """Memory that a process has in use."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def contenders(
    given: argparse.Namespace, uri: str, database: str, rivals: str
) -> Iterator[list[Contender]]:
    """Ours on one database, the others on theirs."""
    with ExitStack() as resources:
        settings: dict[str, object] = {}
        for name, value in (setting.split("=", 1) for setting in given.set):
            settings[name.upper()] = value
        ours = resources.enter_context(_ours(uri, database, settings))
        hand_written = [
            resources.enter_context(_hand_written(name, uri, rivals, given.threads))
            for name in ("bare", "floor", "odm")
            if name in given.contenders.split(",")
        ]
        yield [ours, *hand_written]


@contextmanager
def _hand_written(name: str, uri: str, database: str, threads: int) -> Iterator[Contender]:
    program = [sys.executable, str(_SCRIPTS / f"bench_{name}.py"), uri, database]
    with subprocess.Popen(
        [*program, "--threads", str(threads)], stdout=subprocess.PIPE, text=True
    ) as process:
        port = process.stdout.readline() if process.stdout else ""
        try:
            yield Contender(name, int(port), process.pid)
        finally:
            process.terminate()


@contextmanager
def _ours(uri: str, database: str, settings: Mapping[str, object]) -> Iterator[Contender]:
    given = {"MONGO_URI": uri, "MONGO_DATABASE": database, **settings}
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder) / "log", given) as served,
    ):
        yield Contender("ours", int(served.address.rpartition(":")[2]), served.process.pid, served)


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds from starting the process until it serves and until its first answer, the
    processor's seconds until it serves, and its memory in MiB once it is idle."""

    serving: float
    answered: float
    processor: float
    rss: float


def start_time(uri: str, database: str, *, http: bool) -> Start:
    """Starts the server and stops it again."""
    started = time.monotonic()
    settings = {"HTTP": "true" if http else "false", "HTTP_PORT": 0}
    with (
        _ours(uri, database, settings) as ours,
        grpc.insecure_channel(f"127.0.0.1:{ours.port}") as channel,
    ):
        serving, processor = time.monotonic() - started, ours.processor_seconds()
        stub = job_pb2_grpc.JobStub(channel)
        metadata = (("x_domain_id", DOMAIN),)
        stub.list(job_pb2.JobsQuery(job_id="job-none"), metadata=metadata, wait_for_ready=True)
        answered = time.monotonic() - started
        _wait_until_idle(ours)
        return Start(serving, answered, processor, ours.rss_mib())


def _wait_until_idle(ours: Contender) -> None:
    """Waits for a second in which the process does next to nothing."""
    used = ours.processor_seconds()
    while True:
        time.sleep(1.0)
        before, used = used, ours.processor_seconds()
        if used - before <= _IDLE_SECONDS:
            return

"""The processes that are compared."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import grpc
from bench_workloads import DOMAIN

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

_SCRIPTS = Path(__file__).parent
_START_SECONDS = 60.0
_OK = '"status": "OK"'
_LOG_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server: its name, port and process, and its log of calls if it has one."""

    name: str
    port: int
    pid: int
    log: IO[str] | None = None

    def answered(self) -> int | None:
        """How many calls were answered with OK since the last time, if there is a log of them:
        the load takes refusals, which are quicker, for answers."""
        if self.log is None:
            return None
        time.sleep(_LOG_SECONDS)
        return self.log.read().count(_OK)

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
        settings = dict(setting.split("=", 1) for setting in given.set)
        options = ["--threads", str(given.threads), "--workers", str(given.workers)]
        ours = resources.enter_context(_ours(uri, database, options, settings))
        hand_written = [
            resources.enter_context(_hand_written(name, uri, rivals, given.threads))
            for name in ("floor", "odm")
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
def _ours(
    uri: str, database: str, options: list[str], settings: dict[str, str]
) -> Iterator[Contender]:
    environment = {
        **os.environ,
        "INVENTORY_JOB_MONGO_URI": uri,
        "INVENTORY_JOB_MONGO_DATABASE": database,
        "INVENTORY_JOB_HTTP": "false",
        **{f"INVENTORY_JOB_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "inventory_job", "serve", "--port", "0", *options]
    with (
        tempfile.NamedTemporaryFile("r") as log,
        Path(log.name).open("w") as output,
        subprocess.Popen(
            [*command, "--log-format", "json"], env=environment, stderr=output
        ) as process,
    ):
        try:
            yield Contender("ours", _port(Path(log.name)), process.pid, log)
        finally:
            process.terminate()


def _port(log: Path) -> int:
    """The port in a server's log, once it serves."""
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        for line in log.read_text().splitlines():
            if '"event": "workers serve"' in line:
                return int(json.loads(line)["port"])
            if '"event": "serving"' in line and '"worker"' not in line:
                return int(json.loads(line)["address"].rpartition(":")[2])
        time.sleep(0.01)
    sys.exit(f"the server does not serve:\n{log.read_text()}")


def start_time(uri: str, database: str) -> tuple[float, float]:
    """Seconds from starting the process to its first answer, and its memory in MiB after it."""
    started = time.monotonic()
    with (
        _ours(uri, database, [], {}) as ours,
        grpc.insecure_channel(f"127.0.0.1:{ours.port}") as channel,
    ):
        stub = job_pb2_grpc.JobStub(channel)
        metadata = (("x_domain_id", DOMAIN),)
        stub.list(job_pb2.JobsQuery(job_id="job-none"), metadata=metadata, wait_for_ready=True)
        return time.monotonic() - started, ours.rss_mib()

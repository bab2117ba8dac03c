"""The processes that are compared."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import grpc
from harness.callers import METADATA
from harness.processes import Process
from harness.servers import ServerProcess

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

_SCRIPTS = Path(__file__).parent
_IDLE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server: its name, address and process, and what counts its answers, if there is."""

    name: str
    address: str
    process: Process
    server: ServerProcess | None = None

    def answered(self, method: str) -> int | None:
        """How many calls of a method were answered with OK so far, if there is a log of them: the
        load takes refusals, which are quicker, for answers."""
        return None if self.server is None else self.server.count(f'/{method}","status":"OK"')


@contextmanager
def contenders(
    given: argparse.Namespace, uri: str, database: str, rivals: str
) -> Iterator[list[Contender]]:
    """Ours on one database, the others on theirs."""
    named = (setting.split("=", 1) for setting in given.set)
    settings = {name.upper(): value for name, value in named}
    with ExitStack() as resources:
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
            yield Contender(name, f"127.0.0.1:{int(port)}", Process(process.pid))
        finally:
            process.terminate()


@contextmanager
def _ours(uri: str, database: str, settings: Mapping[str, object]) -> Iterator[Contender]:
    given = {"MONGO_URI": uri, "MONGO_DATABASE": database, **settings}
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder) / "log", given) as server,
    ):
        yield Contender("ours", server.address, server.process, server)


class Start(NamedTuple):
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
        grpc.insecure_channel(ours.address) as channel,
    ):
        serving, processor = time.monotonic() - started, ours.process.processor_seconds
        stub = job_pb2_grpc.JobStub(channel)
        stub.list(job_pb2.JobsQuery(job_id="job-none"), metadata=METADATA, wait_for_ready=True)
        answered = time.monotonic() - started
        _wait_until_idle(ours)
        return Start(serving, answered, processor, ours.process.memory)


def _wait_until_idle(ours: Contender) -> None:
    """Waits for a second in which the process does next to nothing."""
    used = ours.process.processor_seconds
    while True:
        time.sleep(1.0)
        before, used = used, ours.process.processor_seconds
        if used - before <= _IDLE_SECONDS:
            return

"""Calls at full speed, and what they cost."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from subprocess import Popen
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import grpc
from bench_servers import Contender
from bench_workloads import Workload
from google.protobuf.message import Message
from harness.answers import percentile
from harness.callers import request
from harness.h2load import h2load
from harness.processes import Process

from inventory_job.embedded.data_directory import wait_until
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2_grpc

_LARGEST_ANSWER = 64 * 1024 * 1024
_LOG_SECONDS = 5.0
_CALLERS_BESIDE = 8
_ENDLESS = 10**9


class Figures(NamedTuple):
    """Of one turn: calls a second, milliseconds a call, processor milliseconds a call, memory."""

    rps: float
    p50: float
    p99: float
    server_ms: float
    mongod_ms: float
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Load:
    """Makes load; `mongod` is the database of the servers. `beside`: what `_CALLERS_BESIDE` other
    callers send all the time."""

    mongod: Process
    workspace_id: str
    beside: Workload | None = None

    def once(self, server: Contender, workload: Workload) -> Message:
        """The answer to one call; raises grpc.RpcError."""
        options = [("grpc.max_receive_message_length", _LARGEST_ANSWER)]
        with grpc.insecure_channel(server.address, options) as channel:
            method: Any = getattr(job_pb2_grpc.JobStub(channel), workload.method)
            answer: Message = method(
                workload.message(), metadata=workload.metadata(self.workspace_id), timeout=60
            )
            return answer

    def calls_in(self, server: Contender, workload: Workload, callers: int, seconds: float) -> int:
        """How many calls fill `seconds`; warms up, too."""
        calls = callers
        while True:
            figures = self.run(server, workload, callers, calls)
            if calls / figures.rps > seconds / 4 or calls > 100_000:
                return max(callers, round(figures.rps * seconds))
            calls *= 4

    def run(self, server: Contender, workload: Workload, callers: int, calls: int) -> Figures:
        """Figures of that many calls by that many callers at once."""
        answered = server.answered(workload.method)
        processes = server.process, self.mongod
        before = [process.processor_seconds for process in processes]
        with NamedTemporaryFile("r") as log, ExitStack() as others:
            if self.beside:
                others.enter_context(self._calls(server, self.beside, _CALLERS_BESIDE, _ENDLESS))
            sent = self._calls(server, workload, callers, calls, f"--log-file={log.name}")
            with sent as load:
                load.communicate()
            others.close()
            server_ms, mongod_ms = (
                (process.processor_seconds - spent) / calls * 1000
                for process, spent in zip(processes, before, strict=True)
            )
            # A line a call: its start, its HTTP status and its time, in microseconds.
            lines = [[*map(int, line.split("\t"))] for line in log]
        times = sorted(took / 1000 for _, status, took in lines if status == 200)
        if len(times) != calls or not _has_answered(server, workload.method, answered, calls):
            raise RuntimeError(f"{server.name}: not all of {calls} calls were answered")
        first, last = min(line[0] for line in lines), max(line[0] + line[2] for line in lines)
        return Figures(
            calls / (last - first) * 1e6,
            percentile(times, 0.5),
            percentile(times, 0.99),
            server_ms,
            mongod_ms,
            server.process.memory,
        )

    def _calls(
        self, server: Contender, workload: Workload, callers: int, calls: int, *options: str
    ) -> AbstractContextManager[Popen[str]]:
        connections = min(callers, 4)
        share = [f"-n{calls}", f"-c{connections}", f"-m{callers // connections}", "-t1"]
        sent = request(workload.method, workload.request)
        metadata = workload.metadata(self.workspace_id)
        return h2load(server.address, sent, metadata, *share, *options)


def _has_answered(server: Contender, method: str, before: int | None, calls: int) -> bool:
    """Whether a server says that it answered so many calls more; its log comes a little later."""
    if before is None:
        return True
    return wait_until(lambda: (server.answered(method) or 0) >= before + calls, _LOG_SECONDS)

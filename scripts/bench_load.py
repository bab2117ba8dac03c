"""Calls at full speed, and what they cost."""

from __future__ import annotations

import struct
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import grpc
from bench_servers import Contender, processor_seconds
from bench_workloads import Workload
from google.protobuf.message import Message
from pymongo import MongoClient

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2_grpc

_SERVICE = "spaceone.api.inventory.v1.Job"
_LARGEST_ANSWER = 64 * 1024 * 1024
_LOG_SECONDS, _LOOK_SECONDS = 5.0, 0.05


class Figures(NamedTuple):
    """Of one turn: calls a second, milliseconds a call, processor milliseconds a call, memory."""

    rps: float
    p50: float
    p99: float
    server_ms: float
    mongod_ms: float
    rss_mib: float


class Load:
    """Makes load, as a context manager."""

    def __init__(self, uri: str, workspace_id: str) -> None:
        self._workspace_id = workspace_id
        with MongoClient[dict[str, Any]](uri) as client:
            self._mongod = int(client.admin.command("serverStatus")["pid"])
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def once(self, server: Contender, workload: Workload) -> Message:
        """The answer to one call; raises grpc.RpcError."""
        options = [("grpc.max_receive_message_length", _LARGEST_ANSWER)]
        with grpc.insecure_channel(f"127.0.0.1:{server.port}", options) as channel:
            method: Any = getattr(job_pb2_grpc.JobStub(channel), workload.method)
            answer: Message = method(
                workload.message(), metadata=workload.metadata(self._workspace_id), timeout=60
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
        folder = Path(self._folder.name)
        body, log = folder / "body", folder / "log"
        content = workload.message().SerializeToString()
        # A gRPC message: not compressed, its length, itself.
        body.write_bytes(struct.pack(">BI", 0, len(content)) + content)
        log.unlink(missing_ok=True)
        headers = [("content-type", "application/grpc"), ("te", "trailers")]
        headers += workload.metadata(self._workspace_id)
        connections = min(callers, 4)
        command = ["h2load", f"-n{calls}", f"-c{connections}", f"-m{callers // connections}"]
        command += ["-t1", f"-d{body}", f"--log-file={log}"]
        command += [part for key, value in headers for part in ("-H", f"{key}: {value}")]
        url = f"http://127.0.0.1:{server.port}/{_SERVICE}/{workload.method}"
        answered = server.answered()
        before, mongod_before = server.processor_seconds(), processor_seconds(self._mongod)
        subprocess.run([*command, url], check=True, capture_output=True)
        server_seconds = server.processor_seconds() - before
        mongod_seconds = processor_seconds(self._mongod) - mongod_before
        # A line a call: its start, its HTTP status and its time, in microseconds.
        lines = [[*map(int, line.split("\t"))] for line in log.read_text().splitlines()]
        times = sorted(took / 1000 for _, status, took in lines if status == 200)
        if len(times) != calls or not _has_answered(server, answered, calls):
            raise RuntimeError(f"{server.name}: not all of {calls} calls were answered")
        first, last = min(line[0] for line in lines), max(line[0] + line[2] for line in lines)
        return Figures(
            calls / (last - first) * 1e6,
            times[len(times) // 2],
            times[int(len(times) * 0.99)],
            server_seconds / calls * 1000,
            mongod_seconds / calls * 1000,
            server.rss_mib(),
        )


def _has_answered(server: Contender, before: int | None, calls: int) -> bool:
    """Whether a server says that it answered so many calls more; its log comes a little later."""
    ends = time.monotonic() + _LOG_SECONDS
    while (now := server.answered()) is not None and now < (before or 0) + calls:
        if time.monotonic() > ends:
            return False
        time.sleep(_LOOK_SECONDS)
    return True

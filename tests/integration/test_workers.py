"""Several processes on one port, as an operator meets them: signals, deaths, replacements."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

TENANT = (("x_domain_id", "domain-1"),)

# gRPC ends a call with CANCELLED that reaches a server between its stop and the client hearing of
# it; nothing has been done for such a call, and clients that must not see it try again.
RETRYING = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ]
}


class Workers:
    """A running `inventory-job serve --workers 2`."""

    def __init__(self, mongo_uri: str) -> None:
        command = [sys.executable, "-m", "inventory_job", "serve", "--port", "0", "--workers", "2"]
        self.process = subprocess.Popen(
            [*command, "--log-format", "json"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "INVENTORY_JOB_MONGO_URI": mongo_uri},
        )
        self.entries: list[dict[str, object]] = []
        self.port = self.await_entry("workers serve")["port"]
        # The lines of different processes come in any order.
        while len(self.children) < 2:
            self.await_entry("serving")

    def await_entry(self, event: str) -> dict[str, object]:
        """Reads the log up to the next entry of that name."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            entry = json.loads(line)
            self.entries.append(entry)
            if entry["event"] == event:
                return dict(entry)
        raise AssertionError(f"the server ended without {event!r}: {self.entries}")

    @property
    def children(self) -> set[int]:
        """The processes of the workers."""
        return {int(str(entry["worker"])) for entry in self.entries if entry["event"] == "serving"}

    def list(self, channel: grpc.Channel) -> int:
        """One call."""
        stub = job_pb2_grpc.JobStub(channel)
        return stub.list(job_pb2.JobsQuery(), metadata=TENANT, timeout=10).total_count

    def channel(self) -> grpc.Channel:
        """A channel with a connection of its own."""
        options: list[tuple[str, object]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.service_config", json.dumps(RETRYING)),
        ]
        return grpc.insecure_channel(f"127.0.0.1:{self.port}", options)


@pytest.fixture
def workers(mongo_uri: str) -> Iterator[Workers]:
    running = Workers(mongo_uri)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(30)
        assert running.process.stderr is not None
        running.process.stderr.close()


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_workers_share_the_port_and_end_with_their_supervisor(workers: Workers) -> None:
    children = workers.children
    with workers.channel() as channel:
        assert workers.list(channel) == 0

    workers.process.send_signal(signal.SIGTERM)

    assert workers.process.wait(30) == 0
    assert len(children) == 2
    assert not any(is_alive(child) for child in children)


def test_a_worker_that_dies_is_replaced(workers: Workers) -> None:
    [first, second] = workers.children

    os.kill(first, signal.SIGKILL)

    assert workers.await_entry("worker died")["exitcode"] == -signal.SIGKILL
    new = int(str(workers.await_entry("serving")["worker"]))
    assert new not in {first, second}
    with workers.channel() as channel:
        assert workers.list(channel) == 0


def test_workers_end_when_their_supervisor_is_killed(workers: Workers) -> None:
    children = workers.children

    workers.process.kill()
    workers.process.wait()

    ends = time.monotonic() + 20
    while any(is_alive(child) for child in children):
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_workers_are_replaced_without_a_failed_call_of_clients_that_retry(
    workers: Workers,
) -> None:
    before = workers.children
    done = threading.Event()
    failures: list[str] = []
    calls = [0]

    def keep_calling() -> None:
        with workers.channel() as channel:
            while not done.is_set():
                try:
                    workers.list(channel)
                    calls[0] += 1
                except grpc.RpcError as error:
                    failures.append(str(error))

    callers = [threading.Thread(target=keep_calling) for _ in range(4)]
    for caller in callers:
        caller.start()
    workers.process.send_signal(signal.SIGHUP)
    workers.await_entry("workers replaced")
    done.set()
    for caller in callers:
        caller.join()

    assert failures == []
    assert calls[0] > 0
    assert not any(is_alive(child) for child in before)
    assert len(workers.children - before) == 2

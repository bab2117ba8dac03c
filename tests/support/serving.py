"""`inventory-job serve` as an operator has it: a process, its signals and its log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

TENANT = (("x_domain_id", "domain-1"),)

# As docs/operations.md recommends.
RETRYING = {
    "methodConfig": [
        {
            "name": [{}],
            "waitForReady": True,
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


class Serving:
    """A running server, as a context manager; `settings` by their names. Without a URI it has the
    embedded database.

    A log line that is not a JSON object fails the test that reads the log.
    """

    def __init__(self, mongo_uri: str | None, **settings: object) -> None:
        given: dict[str, object] = {"PORT": 0, "LOG_FORMAT": "json"}
        if mongo_uri is not None:
            given["MONGO_URI"] = mongo_uri
        given |= {name.upper(): value for name, value in settings.items()}
        variables = {f"INVENTORY_JOB_{name}": str(value) for name, value in given.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inventory_job", "serve"],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | variables,
        )
        self.entries: list[dict[str, Any]] = []
        """What has been read of the log."""
        self.await_entry("serving")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def await_entry(self, *events: str) -> dict[str, Any]:
        """Reads the log up to the next entry of one of these names."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            entry: dict[str, Any] = json.loads(line)
            self.entries.append(entry)
            if entry["event"] in events:
                return entry
        raise AssertionError(f"the server ended without {events}: {self.entries}")

    def read_to_the_end(self) -> None:
        """Has the server end, and reads the rest of the log."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGTERM)
        self.entries += [json.loads(line) for line in self.process.stderr]

    @property
    def address(self) -> str:
        """Host and port."""
        return self._announced("address")

    @property
    def http_address(self) -> str:
        """Those of HTTP."""
        return self._announced("http_address")

    def _announced(self, name: str) -> str:
        return str(next(entry for entry in self.entries if entry["event"] == "serving")[name])

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        """A channel with a connection of its own."""
        options: list[tuple[str, object]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.service_config", json.dumps(RETRYING)),
        ]
        with grpc.insecure_channel(self.address, options) as opened:
            yield opened


def list_jobs(channel: grpc.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> int:
    """One call; the total."""
    stub = job_pb2_grpc.JobStub(channel)
    answer = stub.list(job_pb2.JobsQuery(), metadata=(*TENANT, *metadata), timeout=10)
    return answer.total_count


def probe(channel: grpc.Channel) -> None:
    """A health check of the process."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    stub.Check(health_pb2.HealthCheckRequest(), timeout=10)

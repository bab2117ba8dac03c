"""What a server counts of the calls that it lets finish when it is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, threading
import grpc
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import SecretStr
from inventory_job.manager import JobManager
from inventory_job.app.server import Server
from inventory_job.settings import Settings
from inventory_job.transport.grpc.server import GrpcPort
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

begun, stopping = threading.Event(), threading.Event()

def get(manager, plan, bounds):
    begun.set()
    assert stopping.wait(10)
    return {"job_id": plan.job_id}

JobManager.get = get
stop = GrpcPort.stop

def stop_slowly(port):
    stopping.set()
    stop(port)

GrpcPort.stop = stop_slowly
settings = Settings(port=0, http=False, mongo_uri=SecretStr(sys.argv[1]))
with Server(settings) as server:
    stub = job_pb2_grpc.JobStub(grpc.insecure_channel(server.address))
    metadata = [("x_domain_id", "domain-1")]
    call = stub.get.future(job_pb2.JobRequest(job_id="job-1"), metadata=metadata)
    assert begun.wait(10)
assert call.result().job_id == "job-1"
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_calls_that_finish_within_the_grace_period_are_counted(
    mongo_uri: str, tmp_path: Path
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, mongo_uri],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    ).stdout

    [counted] = [line for line in told.splitlines() if line.startswith("inventory_job_calls_total")]
    assert counted.endswith('Job/get",transport="grpc"} 1.0')

"""A database without transactions: a delete that is cut off half way can be repeated."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from harness.callers import OWN_CONNECTION, outcome_of
from harness.servers import ServerProcess
from pymongo import MongoClient

from faulting.callers import RIGHT, WRONG
from faulting.kinds import APP
from faulting.runs import Run
from faulting.scene import DATABASE
from faulting.truth import DOMAIN, Plain, judge, store
from inventory_job.embedded.data_directory import wait_until
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.replica_set import Member, free_ports

NAME = "server killed in a delete"

_BLOCK = {
    "configureFailPoint": "failCommand",
    "data": {
        "failCommands": ["delete"],
        "appName": APP,
        "blockConnection": True,
        "blockTimeMS": 60_000,
    },
}
_WAIT_SECONDS = 30.0


def run_standalone(directory: Path, runs: int, seed: int) -> list[Run]:
    """So many servers killed (kill -9) after the tasks of a job were deleted and before the job
    was; after each the next one is asked to delete the job again.

    Raises RuntimeError when the delete does not get half way.
    """
    directory.mkdir()
    with _standalone(directory / "mongod") as member, member.connect() as client:
        uri = f"mongodb://{member.host}"
        return [
            _run(client, uri, directory / f"server-{number}.log", seed * 1000 + number)
            for number in range(runs)
        ]


def _run(client: MongoClient[Plain], uri: str, log: Path, seed: int) -> Run:
    truth = store(client, DATABASE, seed, 3)
    doomed = truth.doomed[1]
    settings = {"MONGO_URI": uri, "MONGO_DATABASE": DATABASE}
    with ServerProcess(log, settings) as server, _blocked_after_tasks(client):
        threading.Thread(target=delete, args=(server.address, doomed.job_id), daemon=True).start()
        if not wait_until(lambda: _is_half_done(client, doomed.job_id), _WAIT_SECONDS):
            raise RuntimeError("the tasks were not deleted")
        server.kill()
    began = time.monotonic()
    with ServerProcess(log.with_suffix(".again.log"), settings) as server:
        repeated, again = (delete(server.address, doomed.job_id) for _ in range(2))
    took = time.monotonic() - began
    truth.begin(doomed)
    truth.acknowledge(doomed)
    outcomes = Counter(
        {RIGHT: (repeated == "OK") + (again == "NOT_FOUND"), WRONG: repeated != "OK"}
    )
    complaints = [] if repeated == "OK" else [f"the repeated delete ended with {repeated}"]
    return Run(NAME, outcomes, judge(client, DATABASE, truth), took, took, complaints)


def delete(address: str, job_id: str, seconds: float = _WAIT_SECONDS) -> str:
    """The name of the status that deleting the job ends with, within `seconds`."""
    with grpc.insecure_channel(address, OWN_CONNECTION) as channel:
        status, _ = outcome_of(
            job_pb2_grpc.JobStub(channel).delete,
            job_pb2.JobRequest(job_id=job_id),
            metadata=(("x_domain_id", DOMAIN),),
            timeout=seconds,
        )
    return status


def _is_half_done(client: MongoClient[Plain], job_id: str) -> bool:
    mine, stored = {"job_id": job_id}, client[DATABASE]
    return (stored.job.count_documents(mine), stored.job_task.count_documents(mine)) == (1, 0)


@contextmanager
def _blocked_after_tasks(client: MongoClient[Plain]) -> Iterator[None]:
    """The second delete command waits; in the end it is given up, and does nothing."""
    client.admin.command({**_BLOCK, "mode": {"skip": 1}})
    try:
        yield
    finally:
        waiting: list[Plain] = [{"$currentOp": {}}, {"$match": {"appName": APP, "active": True}}]
        for operation in client.admin.aggregate(waiting):
            client.admin.command("killOp", op=operation["opid"])
        # Returns when no command waits in it any more.
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


@contextmanager
def _standalone(directory: Path) -> Iterator[Member]:
    [port] = free_ports(1)
    member = Member(directory, port, set_name=None)
    member.start()
    try:
        if not wait_until(member.answers, _WAIT_SECONDS):
            raise RuntimeError("mongod does not answer")
        yield member
    finally:
        member.kill()

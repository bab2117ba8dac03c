"""Sets up a sharded cluster of two shards, as docs/scaling.md has it, and checks the service on it.

It needs `mongos` on the PATH, of the version of the `mongod` that is found; without one it says so
and checks nothing. Everything is on loopback, in a temporary directory, and gone afterwards.
Exit status: 0 all is right, 1 something is not, 2 there is no mongos.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from harness.servers import ServerProcess, unwind_on_sigterm
from pymongo import MongoClient

from inventory_job.embedded.data_directory import wait_until
from inventory_job.model.documents import JOB_COLLECTION, JOB_TASK_COLLECTION
from tests import oracle
from tests.support.client import Client
from tests.support.replica_set import Member, free_ports

DATABASE = "inventory"
SHARD_KEY = {"domain_id": 1, "job_id": 1}
SPREAD, WHOLE = "domain-on-both-shards", "domain-on-one-shard"
_HALF = "job-000000000004"
_START_SECONDS = 60.0

Mongo: TypeAlias = MongoClient[dict[str, Any]]
Finding: TypeAlias = tuple[str, bool]


@contextmanager
def cluster(directory: Path, mongos: str) -> Iterator[str]:
    """The connection string of a cluster of a config server, two shards and a mongos."""
    roles = {"config": "--configsvr", "shard0": "--shardsvr", "shard1": "--shardsvr"}
    *ports, port = free_ports(len(roles) + 1)
    with ExitStack() as running:
        hosts = {}
        for (name, role), member_port in zip(roles.items(), ports, strict=True):
            member = Member(directory / name, member_port, name, (role,))
            running.callback(member.kill)
            member.lead()
            hosts[name] = f"{name}/{member.host}"
        with (directory / "mongos.log").open("wb") as log:
            command = [mongos, "--configdb", hosts.pop("config"), "--port", str(port)]
            command += ["--bind_ip", "127.0.0.1"]
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        running.callback(process.wait)
        running.callback(process.kill)
        uri = f"mongodb://127.0.0.1:{port}/"
        _await(f"{mongos} does not answer", Member(directory, port).answers)
        with MongoClient[dict[str, Any]](uri) as client:
            for host in hosts.values():
                client.admin.command("addShard", host)
        yield uri


def shard(client: Mongo) -> None:
    """Shards both collections; one domain's jobs are on both shards, the other's on the first."""
    admin = client.admin
    admin.command("enableSharding", DATABASE, primaryShard="shard0")
    for collection, unique in ((JOB_COLLECTION, True), (JOB_TASK_COLLECTION, False)):
        name = f"{DATABASE}.{collection}"
        # The key's values are unique in place of job_id alone, which cannot be; a job has many
        # tasks.
        admin.command("shardCollection", name, key=SHARD_KEY, unique=unique)
        for middle in (
            {"domain_id": SPREAD, "job_id": _HALF},
            {"domain_id": WHOLE, "job_id": ""},
        ):
            admin.command("split", name, middle=middle)
        admin.command("moveChunk", name, find={"domain_id": SPREAD, "job_id": _HALF}, to="shard1")


def fill(client: Mongo) -> None:
    """Six jobs in each domain, each with two tasks."""
    database = client[DATABASE]
    for domain in (SPREAD, WHOLE):
        jobs = [{**job, "_id": f"{domain}-{job['_id']}"} for job in oracle.six_jobs(domain)]
        database[JOB_COLLECTION].insert_many(jobs)
        database[JOB_TASK_COLLECTION].insert_many(
            {"job_id": job["job_id"], "domain_id": domain} for job in jobs for _ in range(2)
        )


def answers(channel: grpc.Channel) -> Iterator[Finding]:
    """What the service answers, the jobs of both domains being those of `fill`."""
    for domain in (SPREAD, WHOLE):
        client = Client(channel, domain)
        jobs = [f"job-{number:012x}" for number in range(1, 7)]
        got = [client.call("get", {"job_id": job})["job_id"] for job in jobs]
        yield f"{domain}: each job is got", got == jobs
        pages = [client.list({"page": {"start": start, "limit": 2}}) for start in (1, 3, 5)]
        listed = [job["job_id"] for page in pages for job in page["results"]]
        yield f"{domain}: pages are the list, newest first", listed == jobs[::-1]
        totals = {page["total_count"] for page in pages}
        yield f"{domain}: totals count every job once", totals == {6}
        rows = client.rows(
            {"group": {"keys": [{"key": "status", "name": "status"}], "fields": [_COUNT]}},
            {"sort": [{"key": "jobs", "desc": True}, {"key": "status"}]},
        )
        yield (
            f"{domain}: groups are whole",
            [(row["status"], row["jobs"]) for row in rows]
            == [("SUCCESS", 4), ("FAILURE", 1), ("IN_PROGRESS", 1)],
        )
        analyzed = client.analyze({"fields": {"all": {"operator": "count"}}})["results"]
        yield f"{domain}: an analyze counts every job once", analyzed == [{"all": 6}]
        joined = client.analyze({"lookup": [_TASKS], "unwind": {"path": "tasks"}, "fields": _ALL})
        yield f"{domain}: a lookup joins the tasks", joined["results"] == [{"all": 12}]


_COUNT = {"operator": "count", "name": "jobs"}
_ALL = {"all": {"operator": "count"}}
_TASKS = {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "tasks"}


def deletes(channel: grpc.Channel, client: Mongo) -> Iterator[Finding]:
    """What is left after the deletes of two jobs of the domain on both shards."""
    tasks, service = client[DATABASE][JOB_TASK_COLLECTION], Client(channel, SPREAD)
    for number in (2, 5):
        job_id = f"job-{number:012x}"
        service.call("delete", {"job_id": job_id})
        status = service.refused("get", {"job_id": job_id}).status
        yield f"a deleted job is gone ({job_id})", status is grpc.StatusCode.NOT_FOUND
    yield "its tasks went with it", tasks.count_documents({"domain_id": SPREAD}) == 8
    yield "those of the other domain are there", tasks.count_documents({"domain_id": WHOLE}) == 12
    yield "and so are the other jobs", service.list({"page": {"limit": 1}})["total_count"] == 4


def placement(client: Mongo) -> Iterator[Finding]:
    """Where MongoDB looks for one job, and which indexes there are."""
    jobs = client[DATABASE][JOB_COLLECTION]
    for domain in (SPREAD, WHOLE):
        query = {"domain_id": domain, "$and": [{"job_id": "job-000000000001"}]}
        plan = jobs.find(query).explain()["queryPlanner"]["winningPlan"]
        yield f"{domain}: one job is looked for on one shard", plan["stage"] == "SINGLE_SHARD"
    unique = [
        list(index["key"]) for index in jobs.index_information().values() if index.get("unique")
    ]
    yield (
        "the shard key is what is unique",
        [[key for key, _ in keys] for keys in unique] == [[*SHARD_KEY]],
    )


def main(arguments: list[str] | None = None) -> int:
    """Checks; prints a line for each finding."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    mongos = shutil.which("mongos")
    if mongos is None:
        print("there is no mongos on the PATH: nothing was checked", file=sys.stderr)
        return 2
    unwind_on_sigterm()
    wrong = 0
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        directory = Path(name)
        uri = running.enter_context(cluster(directory, mongos))
        client = running.enter_context(MongoClient[dict[str, Any]](uri))
        shard(client)
        fill(client)
        settings = {"MONGO_URI": uri, "MONGO_DATABASE": DATABASE, "CREATE_INDEXES": "true"}
        server = running.enter_context(ServerProcess(directory / "server.log", settings))
        _await("indexes were not looked after", lambda: server.count("indexes_ensured") > 0)
        channel = running.enter_context(grpc.insecure_channel(server.address))
        for findings in (placement(client), answers(channel), deletes(channel, client)):
            for finding, is_right in findings:
                print("right" if is_right else "WRONG", finding)
                wrong += not is_right
    return 1 if wrong else 0


def _await(otherwise: str, condition: Any) -> None:
    if not wait_until(condition, _START_SECONDS):
        raise RuntimeError(otherwise)


if __name__ == "__main__":
    sys.exit(main())

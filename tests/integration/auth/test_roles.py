"""Role by method by workspace by domain: what each caller gets, beside an in-memory truth.

Two domains with three workspaces each, of which two are called the same in both, and `*`. Every
job is asked for by every caller through every method.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from pydantic import SecretStr

from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.running import server_of
from tests.support.store import Store
from tests.support.tokens import Issuer, key_file_text

DOMAINS = ("domain-1", "domain-2")
WORKSPACES = ("ws-1", "ws-2", "ws-3", "*")
COUNT = {"fields": {"jobs": {"operator": "count"}}, "group_by": ["job_id"]}
STAT = {"aggregate": [{"group": {"keys": [{"key": "job_id", "name": "job_id"}], "fields": []}}]}


@dataclass(frozen=True)
class Job:
    """One job of the truth."""

    job_id: str
    domain_id: str
    workspace_id: str


JOBS = tuple(
    Job(f"job-{domain[-1]}{index}{number}", domain, workspace)
    for domain in DOMAINS
    for index, workspace in enumerate(WORKSPACES)
    for number in range(2)
)


@dataclass(frozen=True)
class Who:
    """A caller: of a role (None: a system token) in a domain, and in a workspace or not."""

    role: str | None
    domain_id: str
    workspace_id: str = ""

    def may_call(self, method: str) -> bool:
        if self.role is None or self.role in ("DOMAIN_ADMIN", "WORKSPACE_OWNER"):
            return True
        return self.role == "WORKSPACE_MEMBER" and method != "delete"

    def sees(self, job: Job, method: str, requested: str = "") -> bool:
        """The table of docs/authentication.md, "What a caller sees", told in the plainest way."""
        if job.domain_id != self.domain_id:
            return False
        workspace = requested if self.role == "DOMAIN_ADMIN" else self.workspace_id
        if self.role is None and not workspace:
            workspace = requested
        if not workspace:
            inside = True
        elif method in ("stat", "delete"):
            inside = job.workspace_id == workspace
        else:
            inside = job.workspace_id in (workspace, "*")
        return inside


CALLERS = [
    Who(role, domain, workspace)
    for domain in DOMAINS
    for role, workspaces in {
        None: ("", "ws-1", "ws-2", "ws-3"),
        "DOMAIN_ADMIN": ("",),
        "WORKSPACE_OWNER": ("ws-1", "ws-2", "ws-3"),
        "WORKSPACE_MEMBER": ("ws-1", "ws-2", "ws-3"),
        "USER": ("", "ws-1"),
        "SYSTEM_ADMIN": ("",),
        "": ("",),
    }.items()
    for workspace in workspaces
]
CALLER_IDS = [f"{who.role}-{who.domain_id}-{who.workspace_id or 'all'}" for who in CALLERS]


@pytest.fixture(scope="module")
def issuers() -> dict[str, Issuer]:
    return {domain: Issuer(domain) for domain in (*DOMAINS, "domain-root")}


@pytest.fixture(scope="module")
def settings(
    mongo_uri: str,
    database_name: str,
    issuers: dict[str, Issuer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    file: Path = tmp_path_factory.mktemp("keys") / "keys.json"
    file.write_text(key_file_text(*issuers.values()))
    return Settings(
        port=0,
        mongo_uri=SecretStr(mongo_uri),
        mongo_database=database_name,
        auth_mode="jwt",
        auth_key_file=file,
        system_domain_id="domain-root",
    )


@pytest.fixture(scope="module")
def stub(settings: Settings) -> Iterator[job_pb2_grpc.JobStub]:
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        yield job_pb2_grpc.JobStub(channel)


@pytest.fixture(autouse=True, scope="module")
def stored(database: Store) -> None:
    insert(database, *JOBS)


def insert(database: Store, *jobs: Job) -> None:
    tasks = [{"job_id": job.job_id, "domain_id": job.domain_id} for job in jobs]
    database.job_tasks.insert_many(tasks)
    database.jobs.insert_many(asdict(job) for job in jobs)


Metadata = list[tuple[str, str]]


def metadata_of(who: Who, issuers: dict[str, Issuer]) -> Metadata:
    """The call's metadata; tenants that only a system token may name are named falsely by the
    others."""
    if who.role is not None:
        claims = {"wid": who.workspace_id} if who.workspace_id else {}
        token = issuers[who.domain_id].token(who.role or None, **claims)
        other = DOMAINS[1 - DOMAINS.index(who.domain_id)]
        return [("token", token), ("x_domain_id", other), ("x_workspace_id", "ws-2")]
    tenant = [("x_domain_id", who.domain_id)]
    if who.workspace_id:
        tenant.append(("x_workspace_id", who.workspace_id))
    return [("token", issuers["domain-root"].system_token()), *tenant]


class Door:
    """Calls of one caller, answered with job ids."""

    def __init__(self, stub: job_pb2_grpc.JobStub, metadata: Metadata) -> None:
        self._stub: Any = stub
        self._metadata = metadata

    def call(self, method: str, message: Any) -> Any:
        return getattr(self._stub, method)(message, metadata=self._metadata, timeout=10)

    def list(self, requested: str = "") -> set[str]:
        answer = self.call("list", job_pb2.JobsQuery(workspace_id=requested))
        assert answer.total_count == len(answer.results)
        return {job.job_id for job in answer.results}

    def rows(self, method: str) -> set[str]:
        request, query = {
            "analyze": (job_pb2.JobAnalyzeQuery(), COUNT),
            "stat": (job_pb2.JobStatQuery(), STAT),
        }[method]
        answer = self.call(method, json_format.ParseDict({"query": query}, request))
        return {row["job_id"] for row in json_format.MessageToDict(answer).get("results", [])}

    def one(self, method: str, job: Job) -> bool:
        """Whether get or delete found the job."""
        try:
            self.call(method, job_pb2.JobRequest(job_id=job.job_id))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True

    def any(self, method: str) -> None:
        """A good call of any method."""
        if method == "list":
            self.list()
        elif method in ("analyze", "stat"):
            self.rows(method)
        else:
            self.one(method, JOBS[0])


@pytest.fixture
def door(
    stub: job_pb2_grpc.JobStub, issuers: dict[str, Issuer], request: pytest.FixtureRequest
) -> Door:
    return Door(stub, metadata_of(request.getfixturevalue("who"), issuers))


def expected(who: Who, method: str, requested: str = "") -> set[str]:
    return {job.job_id for job in JOBS if who.sees(job, method, requested)}


READERS = [who for who in CALLERS if who.may_call("get")]
READER_IDS = [name for who, name in zip(CALLERS, CALLER_IDS, strict=True) if who in READERS]
STRANGERS = [who for who in CALLERS if not who.may_call("get")]


@pytest.mark.parametrize("who", READERS, ids=READER_IDS)
@pytest.mark.parametrize("requested", ["", "ws-1", "ws-2", "*", "ws-9"])
def test_list_shows_the_jobs_of_the_scope(door: Door, who: Who, requested: str) -> None:
    assert door.list(requested) == expected(who, "list", requested)


@pytest.mark.parametrize("who", READERS, ids=READER_IDS)
@pytest.mark.parametrize("method", ["analyze", "stat"])
def test_rows_are_of_the_jobs_of_the_scope(door: Door, who: Who, method: str) -> None:
    assert door.rows(method) == expected(who, method)


@pytest.mark.parametrize("who", READERS, ids=READER_IDS)
def test_get_finds_the_jobs_of_the_scope_and_no_others(door: Door, who: Who) -> None:
    assert {job.job_id for job in JOBS if door.one("get", job)} == expected(who, "get")


@pytest.mark.parametrize("who", [who for who in CALLERS if who.may_call("delete")], ids=str)
def test_delete_removes_the_jobs_of_the_scope_and_no_others(
    door: Door, who: Who, database: Store
) -> None:
    try:
        deleted = {job.job_id for job in JOBS if door.one("delete", job)}
        left = Counter(job["job_id"] for job in database.jobs.find())
        tasks_left = Counter(task["job_id"] for task in database.job_tasks.find())
    finally:
        database.jobs.delete_many({})
        database.job_tasks.delete_many({})
        insert(database, *JOBS)

    assert deleted == expected(who, "delete")
    assert left == tasks_left == Counter(job.job_id for job in JOBS if job.job_id not in deleted)


@pytest.mark.parametrize("who", STRANGERS, ids=str)
@pytest.mark.parametrize("method", ["get", "delete", "list", "analyze", "stat"])
def test_a_role_without_the_method_is_denied(door: Door, who: Who, method: str) -> None:
    denied(door, method)


@pytest.mark.parametrize("who", [who for who in CALLERS if who.role == "WORKSPACE_MEMBER"], ids=str)
def test_a_member_may_not_delete(door: Door, who: Who, database: Store) -> None:
    denied(door, "delete")
    assert database.jobs.count_documents({}) == len(JOBS)


def denied(door: Door, method: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        door.any(method)
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
    details = str(raised.value.details())
    assert details.startswith("ERROR_PERMISSION_DENIED: Permission denied.")


ADMIN = Who("DOMAIN_ADMIN", "domain-1")


def admins(stub: job_pb2_grpc.JobStub, issuers: dict[str, Issuer], **claims: Any) -> Door:
    return Door(stub, [("token", issuers["domain-1"].token("DOMAIN_ADMIN", **claims))])


@pytest.mark.parametrize(
    ("permissions", "reads", "writes"),
    [
        ([], True, True),
        (["inventory:Job"], True, True),
        (["inventory:Job.read"], True, False),
        (["inventory:Job.write"], False, True),
        (["inventory:Jo"], False, False),
        (["cost_analysis", "inventory:Job.read"], True, False),
    ],
)
def test_permissions_narrow_what_a_role_may_call(
    stub: job_pb2_grpc.JobStub,
    issuers: dict[str, Issuer],
    permissions: list[str],
    reads: bool,
    writes: bool,
) -> None:
    door = admins(stub, issuers, permissions=permissions)
    unknown = Job("job-unknown", "domain-1", "ws-1")

    for method, allowed in (("get", reads), ("delete", writes)):
        if allowed:
            assert not door.one(method, unknown)
        else:
            denied(door, method)


def test_a_prescribed_workspace_is_the_scope(
    stub: job_pb2_grpc.JobStub, issuers: dict[str, Issuer]
) -> None:
    door = admins(stub, issuers, injected_params={"workspace_id": "ws-1"})

    assert door.list("ws-2") == expected(ADMIN, "list", "ws-1")
    assert door.rows("stat") == expected(ADMIN, "stat", "ws-1")
    assert not door.one("get", Job("job-110", "domain-1", "ws-2"))


def test_a_prescribed_job_is_the_only_one_there_is_to_list(
    stub: job_pb2_grpc.JobStub, issuers: dict[str, Issuer]
) -> None:
    assert admins(stub, issuers, injected_params={"job_id": "job-100"}).list() == {"job-100"}
    assert admins(stub, issuers, injected_params={"job_id": "job-200"}).list() == set()

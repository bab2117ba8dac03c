"""Calls that are not what they claim to be: refused, and never seen by the database."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from grpc_status import rpc_status
from pydantic import SecretStr

from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.bad_tokens import CLAIMS, TOKENS, Domains, of_another_key
from tests.support.running import ServerThread, server_of
from tests.support.store import Store
from tests.support.tokens import SYSTEM

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
Metadata = list[tuple[str, str]]


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Domains:
    return Domains(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def settings(mongo_uri: str, database_name: str, domains: Domains) -> Settings:
    return Settings(
        port=0,
        mongo_uri=SecretStr(mongo_uri),
        mongo_database=database_name,
        auth_mode="jwt",
        auth_key_file=domains.key_file,
        system_domain_id="domain-root",
        http=True,
        http_port=0,
    )


@pytest.fixture(scope="module")
def profiled(database: Store) -> Iterator[Store]:
    """The database, noting every operation on it."""
    # A collection has to be there for its name to be noted.
    database.jobs.insert_one({"job_id": "job-1", "domain_id": "domain-1", "workspace_id": "ws-1"})
    database.jobs.database.command("profile", 2)
    yield database
    database.jobs.database.command("profile", 0)


@pytest.fixture(scope="module")
def running(profiled: Store, settings: Settings) -> Iterator[ServerThread]:
    with server_of(settings) as server:
        yield server


@pytest.fixture(scope="module")
def stub(running: ServerThread) -> Iterator[job_pb2_grpc.JobStub]:
    with grpc.insecure_channel(running.address) as channel:
        yield job_pb2_grpc.JobStub(channel)


@pytest.fixture(scope="module")
def http(running: ServerThread) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{running.http_address}") as client:
        yield client


def operations(database: Store) -> int:
    """How many operations on jobs and tasks the database has noted."""
    namespaces = [each.full_name for each in (database.jobs, database.job_tasks)]
    profile = database.jobs.database["system.profile"]
    return profile.count_documents({"ns": {"$in": namespaces}})


REQUESTS: dict[str, Any] = {
    "list": job_pb2.JobsQuery(),
    "get": job_pb2.JobRequest(job_id="job-1"),
    "delete": job_pb2.JobRequest(job_id="job-1"),
    "stat": ParseDict({"query": {"distinct": "job_id"}}, job_pb2.JobStatQuery()),
    "analyze": ParseDict(
        {"query": {"fields": {"jobs": {"operator": "count"}}}}, job_pb2.JobAnalyzeQuery()
    ),
}
"""Any good request of a method."""


def call(stub: job_pb2_grpc.JobStub, method: str, metadata: Metadata) -> Any:
    return getattr(stub, method)(REQUESTS[method], metadata=metadata, timeout=10)


def post(http: httpx.Client, method: str, headers: Metadata) -> httpx.Response:
    body = MessageToDict(REQUESTS[method], preserving_proto_field_name=True)
    return http.post(f"/inventory/v1/job/{method}", json=body, headers=headers)


def refusal(stub: job_pb2_grpc.JobStub, method: str, metadata: Metadata) -> dict[str, Any]:
    """The google.rpc.Status that a call ends with, as JSON."""
    with pytest.raises(grpc.RpcError) as raised:
        call(stub, method, metadata)
    status = rpc_status.from_call(raised.value)  # type: ignore[arg-type]  # a call as well
    assert status is not None
    return {
        "code": status.code,
        "message": status.message,
        "details": [
            MessageToDict(detail, preserving_proto_field_name=True) for detail in status.details
        ],
    }


def refused(stub: job_pb2_grpc.JobStub, method: str, metadata: Metadata) -> tuple[Any, str]:
    with pytest.raises(grpc.RpcError) as raised:
        call(stub, method, metadata)
    return raised.value.code(), str(raised.value.details())


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize("method", ["list", "delete"])
def test_a_token_out_of_order_is_unauthenticated(
    stub: job_pb2_grpc.JobStub, domains: Domains, profiled: Store, method: str, name: str
) -> None:
    token = TOKENS[name](domains)
    before = operations(profiled)

    code, details = refused(stub, method, [("token", token), ("x_domain_id", "domain-1")])

    assert code is UNAUTHENTICATED
    assert details.startswith("ERROR_AUTHENTICATE_FAILURE: Authenticate failure. (message = ")
    assert all(len(part) < 12 or part not in details for part in token.split("."))
    assert operations(profiled) == before


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("method", ["list", "get", "delete", "stat", "analyze"])
def test_a_caller_without_the_right_is_denied(
    stub: job_pb2_grpc.JobStub, domains: Domains, profiled: Store, method: str, name: str
) -> None:
    token = domains.admin(**CLAIMS[name])
    before = operations(profiled)

    code, details = refused(stub, method, [("token", token)])

    assert code is DENIED
    assert details.startswith("ERROR_PERMISSION_DENIED: Permission denied.")
    assert operations(profiled) == before


TOKEN_HEADERS = {"token": "", "authorization": "Bearer "}
"""Headers that a token may come in over HTTP, and what goes before it."""
TENANT = ("x-domain-id", "domain-1")


@pytest.mark.parametrize("name", TOKENS)
def test_over_http_a_token_out_of_order_is_unauthenticated_as_well(
    stub: job_pb2_grpc.JobStub,
    http: httpx.Client,
    domains: Domains,
    profiled: Store,
    name: str,
) -> None:
    token = TOKENS[name](domains)
    before = operations(profiled)

    for method, (header, scheme) in product(("list", "delete"), TOKEN_HEADERS.items()):
        answer = post(http, method, [(header, (scheme + token).strip()), TENANT])

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json() == refusal(
            stub, method, [("token", token), ("x_domain_id", "domain-1")]
        )
    assert operations(profiled) == before


@pytest.mark.parametrize("name", CLAIMS)
def test_over_http_a_caller_without_the_right_is_denied_as_well(
    stub: job_pb2_grpc.JobStub,
    http: httpx.Client,
    domains: Domains,
    profiled: Store,
    name: str,
) -> None:
    token = domains.admin(**CLAIMS[name])
    before = operations(profiled)

    for method, (header, scheme) in product(REQUESTS, TOKEN_HEADERS.items()):
        answer = post(http, method, [(header, scheme + token)])

        assert answer.status_code == 403
        assert answer.json() == refusal(stub, method, [("token", token)])
    assert operations(profiled) == before


EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
# gRPC takes metadata of up to 16 KiB, of more than 32 KiB never, and between them by chance.
TOO_LONG = {20_000: {UNAUTHENTICATED, EXHAUSTED}, 30_000: {EXHAUSTED}, 100_000: {EXHAUSTED}}


@pytest.mark.parametrize("method", REQUESTS)
def test_a_token_far_too_long_is_refused_by_either_port(
    stub: job_pb2_grpc.JobStub,
    http: httpx.Client,
    domains: Domains,
    profiled: Store,
    method: str,
) -> None:
    """HTTP takes headers of that length; where gRPC takes no metadata it answers by itself."""
    before = operations(profiled)

    for octets, codes in TOO_LONG.items():
        token = domains.admin(pad="x" * octets)
        code, _ = refused(stub, method, [("token", token)])
        assert code in codes
        for header, scheme in TOKEN_HEADERS.items():
            answer = post(http, method, [(header, scheme + token)])
            assert answer.status_code == 401
            assert "longer than 8192 bytes" in answer.json()["message"]
    assert operations(profiled) == before


def test_without_a_token_no_caller_is_authenticated(
    stub: job_pb2_grpc.JobStub, profiled: Store
) -> None:
    before = operations(profiled)

    code, details = refused(stub, "list", [("x_domain_id", "domain-1")])

    assert code is UNAUTHENTICATED
    assert details == (
        "ERROR_AUTHENTICATE_FAILURE: Authenticate failure. (message = a token is required)"
    )
    assert operations(profiled) == before


def test_a_second_token_is_refused_even_when_it_is_the_same(
    stub: job_pb2_grpc.JobStub, domains: Domains, profiled: Store
) -> None:
    good = domains.admin()
    before = operations(profiled)

    for second in (good, "garbage", ""):
        code, _ = refused(stub, "list", [("token", good), ("token", second)])
        assert code is UNAUTHENTICATED
    assert operations(profiled) == before


@pytest.mark.parametrize("key", ["x_domain_id", "x_workspace_id"])
def test_a_second_tenant_is_refused(
    stub: job_pb2_grpc.JobStub, domains: Domains, profiled: Store, key: str
) -> None:
    system = [("token", domains.root.system_token()), ("x_domain_id", "domain-1")]
    twice = {"x_domain_id": [(key, "domain-2")], "x_workspace_id": [(key, "a"), (key, "b")]}[key]
    before = operations(profiled)

    code, details = refused(stub, "list", [*system, *twice])

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert f"key = {key}" in details
    assert operations(profiled) == before


def test_an_unknown_domain_and_a_wrong_signature_look_the_same(
    stub: job_pb2_grpc.JobStub, domains: Domains
) -> None:
    tokens = [domains.stranger.token("DOMAIN_ADMIN"), of_another_key(domains), domains.admin()[:-8]]

    assert len({refused(stub, "list", [("token", token)]) for token in tokens}) == 1


def test_a_callers_own_metadata_do_not_change_the_tenant(
    stub: job_pb2_grpc.JobStub, domains: Domains
) -> None:
    token = domains.neighbour.token("DOMAIN_ADMIN")
    metadata = [("token", token), ("x_domain_id", "domain-1"), ("x_workspace_id", "ws-1")]

    assert list(call(stub, "list", metadata).results) == []


def test_a_good_token_reaches_the_database(
    stub: job_pb2_grpc.JobStub, domains: Domains, profiled: Store
) -> None:
    """Else nothing above would mean anything."""
    before = operations(profiled)

    for token in (domains.admin(), domains.root.sign(SYSTEM)):
        answer = call(stub, "list", [("token", token), ("x_domain_id", "domain-1")])
        assert [job.job_id for job in answer.results] == ["job-1"]

    assert operations(profiled) > before

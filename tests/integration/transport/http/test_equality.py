"""An answer over HTTP is the answer over gRPC, as proto3 JSON; a refusal has the same details."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import code_pb2
from grpc_status import rpc_status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests import oracle
from tests.support import analyze_strategies, nonsense, strategies
from tests.support.client import REQUESTS as MESSAGES
from tests.support.client import SERVICE
from tests.support.http_service import client_of
from tests.support.store import Store

JOBS = oracle.many_jobs(rng_seed=7, count=200)
JOB_IDS = [job["job_id"] for job in JOBS if job["domain_id"] == "domain-a"]
EXAMPLES = 400

Requests = st.SearchStrategy[dict[str, Any]]


def any_of(good: Requests) -> Requests:
    """Five good requests for each one with nonsense in it."""
    return st.one_of(*[good] * 5, nonsense.mangled(good))


one_job = st.fixed_dictionaries(
    {}, optional={"job_id": st.sampled_from(JOB_IDS) | st.text(max_size=30)}
)
REQUESTS: dict[str, Requests] = {
    "delete": one_job,
    "get": one_job,
    "list": any_of(strategies.list_requests),
    "analyze": any_of(analyze_strategies.analyze_requests()),
    "stat": any_of(strategies.stat_requests),
}
tenants = st.sampled_from(
    [
        {"x_domain_id": "domain-a"},
        {"x_domain_id": "domain-a", "x_workspace_id": "workspace-1"},
        {"x_domain_id": "domain-of-nobody"},
        {},
    ]
)


@pytest.fixture(scope="module")
def http(database: Store) -> Iterator[httpx.Client]:
    database.jobs.insert_many(copy.deepcopy(JOBS))
    with client_of(database) as client:
        yield client


@pytest.mark.parametrize("method", list(REQUESTS))
def test_http_answers_as_grpc_does(
    http: httpx.Client, channel: grpc.Channel, database: Store, method: str
) -> None:
    met: Counter[bool] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(REQUESTS[method], tenants)
    def holds(request: dict[str, Any], tenant: dict[str, str]) -> None:
        message = as_message(method, request)
        if message is None:
            wrong = over_http(http, method, request, {"x_domain_id": "domain-a"})
            assert wrong[0] == code_pb2.INVALID_ARGUMENT
            return
        wanted = over_grpc(channel, method, message, tenant)
        restore(database)
        answer = over_http(http, method, request, tenant)
        assert comparable(answer, request) == comparable(wanted, request)
        restore(database)
        met[wanted[0] == code_pb2.OK] += 1

    def restore(database: Store) -> None:
        if method == "delete":
            put_back(database)

    holds()

    assert min(met[True], met[False]) > 10
    assert met.total() >= 200


def comparable(answer: tuple[int, Any], request: dict[str, Any]) -> Any:
    """What must be equal: all but orders that there are none of.

    MongoDB has none for add_to_set, and a message has none for the members of a Struct: so of
    several things wrong with a request another may come first, and give the message.
    """
    code, body = answer
    if code != code_pb2.OK and len(body["details"]) == 1:
        violations = body["details"][0]["field_violations"]
        said = {violation["description"] for violation in violations}
        return code, body["message"] in said, unordered(violations)
    return unordered(answer) if "add_to_set" in json.dumps(request) else answer


def unordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: unordered(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return sorted(map(unordered, value), key=partial(json.dumps, sort_keys=True))
    return value


def put_back(database: Store) -> None:
    """Stores the one job that a delete may have removed again."""
    if database.jobs.estimated_document_count() == len(JOBS):
        return
    stored = {job["job_id"] for job in database.jobs.find({}, {"job_id": 1})}
    database.jobs.insert_many(copy.deepcopy(job) for job in JOBS if job["job_id"] not in stored)


def as_message(method: str, request: dict[str, Any]) -> Message | None:
    try:
        return json_format.ParseDict(request, MESSAGES[method]())
    except json_format.ParseError:
        return None


def over_grpc(
    channel: grpc.Channel, method: str, message: Message, tenant: dict[str, str]
) -> tuple[int, Any]:
    """The google.rpc.Code, and the answer or google.rpc.Status as HTTP is to give it."""
    behavior: Callable[..., Message] = getattr(job_pb2_grpc.JobStub(channel), method)
    try:
        answer = behavior(message, metadata=tuple(tenant.items()), timeout=30)
    except grpc.RpcError as error:
        status: Any = rpc_status.from_call(error)  # type: ignore[arg-type]  # a call as well
        details = json_format.MessageToDict(status, preserving_proto_field_name=True)
        return status.code, {"details": [], **details}
    return code_pb2.OK, json_format.MessageToDict(answer, preserving_proto_field_name=True)


def over_http(
    http: httpx.Client, method: str, request: dict[str, Any], tenant: dict[str, str]
) -> tuple[int, Any]:
    headers = {"content-type": "application/json"} | tenant
    response = http.post(
        f"/inventory/v1/job/{method}", content=json.dumps(request), headers=headers
    )
    body = response.json()
    return (code_pb2.OK if response.status_code == 200 else body["code"]), body


def test_the_messages_of_every_method_are_compared() -> None:
    assert REQUESTS.keys() == MESSAGES.keys() == {method.name for method in SERVICE.methods}
    assert job_pb2.DESCRIPTOR.services_by_name["Job"] is SERVICE

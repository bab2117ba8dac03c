"""A thin client: requests as proto3 JSON through a real channel, refusals as values."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from bson import ObjectId
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pymongo import monitoring

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.store import Store

Plain = dict[str, Any]

SERVICE = job_pb2.DESCRIPTOR.services_by_name["Job"]
REQUESTS: Mapping[str, type[Message]] = {
    method.name: GetMessageClass(method.input_type) for method in SERVICE.methods
}
"""The requests of each method."""
JOB = f"/{SERVICE.full_name}"
"""What the names of methods begin with in calls."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call failed. `violations` are the paths of BadRequest with their descriptions."""

    status: grpc.StatusCode
    details: str
    violations: tuple[tuple[str, str], ...]

    @property
    def code(self) -> str:
        """What stands before the first colon of the details."""
        return self.details.partition(":")[0]

    @property
    def paths(self) -> list[str]:
        """The fields to blame, in the order reported."""
        return [path for path, _ in self.violations]


class Client:
    """Calls of one tenant: a domain, or one workspace of it."""

    def __init__(self, channel: grpc.Channel, domain_id: str, workspace_id: str = "") -> None:
        self.channel = channel
        self._stub = job_pb2_grpc.JobStub(channel)
        self.domain_id = domain_id
        self._metadata = [("x_domain_id", domain_id)]
        if workspace_id:
            self._metadata.append(("x_workspace_id", workspace_id))

    def start(
        self, method: str, request: Plain | Message, seconds: float = 30.0
    ) -> grpc.Future[Any]:
        """The call, under way."""
        if not isinstance(request, Message):
            request = json_format.ParseDict(request, REQUESTS[method]())
        behavior: Any = getattr(self._stub, method)
        call: grpc.Future[Any] = behavior.future(request, metadata=self._metadata, timeout=seconds)
        return call

    def call(self, method: str, request: Plain | Message) -> Plain:
        """The answer as proto3 JSON, members at their defaults included."""
        return json_format.MessageToDict(
            self.start(method, request).result(),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=method in {"get", "list"},
        )

    def list(self, query: Plain | None = None, **parameters: Any) -> Plain:
        """The answer to a list."""
        return self.call("list", parameters | ({} if query is None else {"query": query}))

    def stat(self, query: Plain) -> Plain:
        """The answer to a stat."""
        return self.call("stat", {"query": query})

    def analyze(self, query: Plain) -> Plain:
        """The answer to an analyze."""
        return self.call("analyze", {"query": query})

    def numbers(self, query: Plain | None = None, **parameters: Any) -> Any:
        """The jobs that a list shows, in its order, by the numbers at the end of their ids."""
        return [int(job["job_id"][-12:], 16) for job in self.list(query, **parameters)["results"]]

    def rows(self, *aggregate: Plain, **query: Any) -> Any:
        """The rows of a stat with these stages."""
        return self.stat({"aggregate": [*aggregate], **query})["results"]

    def refused(self, method: str, request: Plain | Message) -> Refusal:
        """How the call fails, as it must."""
        with pytest.raises(grpc.RpcError) as raised:
            self.call(method, request)
        return refusal(raised.value)


def refusal(error: Any) -> Refusal:
    """A failed call as a value."""
    return Refusal(error.code(), error.details(), tuple(_violations(error)))


def _violations(error: Any) -> Iterable[tuple[str, str]]:
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        bad_request = error_details_pb2.BadRequest()
        if detail.Unpack(bad_request):
            for violation in bad_request.field_violations:
                yield violation.field, violation.description


Tenant = Callable[..., Client]
"""Stored jobs → a client of a domain that has these alone; see `tenants`."""


def tenants(channel: grpc.Channel, database: Store) -> Tenant:
    """A way to fresh domains: called with jobs (and `tasks`), without the ids that differ."""

    def tenant(*jobs: Plain, tasks: Iterable[Plain] = (), workspace_id: str = "") -> Client:
        domain_id = f"domain-{uuid.uuid4().hex[:12]}"
        own = [{"job_id": f"job-{n:012x}"} | job for n, job in enumerate(jobs, start=1)]
        for collection, documents in ((database.jobs, own), (database.job_tasks, [*tasks])):
            if documents:
                collection.insert_many(
                    document | {"_id": ObjectId(), "domain_id": domain_id} for document in documents
                )
        return Client(channel, domain_id, workspace_id)

    return tenant


class Recorder(monitoring.CommandListener):
    """The commands that clients of this process, made from now on, send to one database."""

    def __init__(self, database_name: str) -> None:
        self._database_name = database_name
        self._commands: list[Plain] | None = None
        self.answered = 0
        """How many commands have been answered so far."""
        monitoring.register(self)

    @contextmanager
    def recording(self) -> Iterator[list[Plain]]:
        """The commands sent within, as they are sent."""
        commands: list[Plain] = []
        self._commands = commands
        try:
            yield commands
        finally:
            self._commands = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Notes a command; listIndexes reads no documents."""
        if event.command_name == "listIndexes" or self._commands is None:
            return
        if event.database_name == self._database_name:
            self._commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Counts an answer."""
        self.answered += event.database_name == self._database_name

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Counts an answer."""
        self.answered += event.database_name == self._database_name

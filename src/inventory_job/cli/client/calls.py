"""Calls to a server: requests and responses as proto3 JSON, failures as CallFailed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from inventory_job.cli.endpoints import hint
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

Plain = dict[str, Any]

JOB_FIELDS: tuple[str, ...] = tuple(job_pb2.JobInfo.DESCRIPTOR.fields_by_name)
"""The fields of a job, in the contract's order."""

JOB_ENUMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Without the first value of each enum, which means unspecified and is not stored.
        "status": tuple(job_pb2.JobInfo.Status.keys()[1:]),
        "resource_group": tuple(job_pb2.JobInfo.ResourceGroup.keys()[1:]),
    }
)
"""The fields of a job that are enums, and their values."""

REQUESTS: Mapping[str, type[Message]] = MappingProxyType(
    {
        "delete": job_pb2.JobRequest,
        "get": job_pb2.JobRequest,
        "list": job_pb2.JobsQuery,
        "analyze": job_pb2.JobAnalyzeQuery,
        "stat": job_pb2.JobStatQuery,
    }
)
"""The methods, and the types of their messages."""

# The error of inventory-job servers when neither the call nor its token has a domain.
_NO_DOMAIN = "ERROR_REQUIRED_PARAMETER: Required parameter. (key = domain_id)"
# Numbers of a Struct are doubles, which hold integers exactly up to this one.
_LARGEST_WHOLE = 2.0**53


class ExitCode(IntEnum):
    """The exit codes of commands, other than 0."""

    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    UNAVAILABLE = 5
    INTERRUPTED = 130


_EXIT_CODES: Mapping[grpc.StatusCode, ExitCode] = MappingProxyType(
    {
        grpc.StatusCode.NOT_FOUND: ExitCode.NOT_FOUND,
        grpc.StatusCode.UNAUTHENTICATED: ExitCode.DENIED,
        grpc.StatusCode.PERMISSION_DENIED: ExitCode.DENIED,
        grpc.StatusCode.UNAVAILABLE: ExitCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.UNAVAILABLE,
    }
)


class CallFailed(Exception):
    """A call that failed; `violations` are pairs of a field and what is wrong with it."""

    def __init__(
        self, exit_code: ExitCode, message: str, violations: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message
        self.violations = violations


@dataclass(frozen=True, slots=True)
class Connection:
    """A server's address and how to call it; `timeout` is for each call, in seconds."""

    endpoint: str
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    token: str | None = field(default=None, repr=False)
    domain_id: str | None = None
    workspace_id: str | None = None
    timeout: float = 30.0

    @contextmanager
    def open(self) -> Iterator[JobClient]:
        """Opens a client for the context; raises CallFailed for unreadable certificates."""
        # No limit: the server limits the size of responses.
        options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", -1)]
        if self.server_name:
            options.append(("grpc.ssl_target_name_override", self.server_name))
        channel = (
            grpc.secure_channel(self.endpoint, self._credentials(), options)
            if self.tls
            else grpc.insecure_channel(self.endpoint, options)
        )
        with channel:
            yield JobClient(channel, self)

    def metadata(self) -> list[tuple[str, str]]:
        """The metadata of each call."""
        named = {
            "token": self.token,
            "x_domain_id": self.domain_id,
            "x_workspace_id": self.workspace_id,
        }
        return [(name, value) for name, value in named.items() if value]

    def _credentials(self) -> grpc.ChannelCredentials:
        try:
            ca, key, certificate = (
                path.read_bytes() if path is not None else None
                for path in (self.ca_file, self.key_file, self.certificate_file)
            )
        except OSError as error:
            reason = f"cannot read {error.filename}: {error.strerror}"
            raise CallFailed(ExitCode.USAGE, reason) from error
        return grpc.ssl_channel_credentials(ca, key, certificate)


class JobClient:
    """The five methods of Job at one server."""

    def __init__(self, channel: grpc.Channel, connection: Connection) -> None:
        self._stub = job_pb2_grpc.JobStub(channel)
        self._connection = connection
        self.endpoint = connection.endpoint

    def call(self, method: str, request: Mapping[str, Any]) -> Plain:
        """The response to `request`, both as proto3 JSON with the field names of the contract. The
        response of get or list also has the fields at their defaults. Raises CallFailed."""
        message = request_message(method, request)
        behavior: Any = getattr(self._stub, method)
        try:
            answer: Message = behavior(
                message,
                metadata=self._connection.metadata(),
                timeout=self._connection.timeout,
            )
        except grpc.RpcError as error:
            raise self._failure(error) from error
        return _plain(answer)

    def _failure(self, error: Any) -> CallFailed:
        code: grpc.StatusCode = error.code()
        exit_code = _EXIT_CODES.get(code, ExitCode.FAILED)
        details: str = error.details() or code.name
        # inventory-job servers send `ERROR_CODE: sentence`; other details come from gRPC itself.
        message = details if details.startswith("ERROR_") else f"{code.name}: {details}"
        if exit_code is ExitCode.UNAVAILABLE:
            message = f"{self.endpoint}: {message}{hint(details)}"
        if _NO_DOMAIN in details and not self._connection.domain_id:
            message = f"{message} --domain or INVENTORY_JOB_DOMAIN names the domain."
        return CallFailed(exit_code, message, tuple(_violations(error)))


def request_message(method: str, request: Mapping[str, Any]) -> Message:
    """Converts a request from proto3 JSON to the method's message; raises CallFailed."""
    try:
        return json_format.ParseDict(dict(request), REQUESTS[method]())
    except json_format.ParseError as error:
        raise CallFailed(ExitCode.USAGE, f"this is no request: {error}") from error


def _violations(error: Any) -> Iterator[tuple[str, str]]:
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # details that contradict the status are ignored
        return
    for detail in status.details if status else ():
        bad_request = error_details_pb2.BadRequest()
        if detail.Unpack(bad_request):
            for violation in bad_request.field_violations:
                yield violation.field, violation.description


def _plain(message: Message) -> Plain:
    try:
        answer = json_format.MessageToDict(
            message,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=isinstance(
                message, job_pb2.JobInfo | job_pb2.JobsInfo
            ),
        )
    except (json_format.Error, ValueError) as error:
        reason = f"the server's answer has no JSON form: {error}"
        raise CallFailed(ExitCode.FAILED, reason) from error
    whole: Plain = _whole(answer)
    return whole


def _whole(value: Any) -> Any:
    """`value` with whole doubles as integers; dictionaries keep their order."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_WHOLE:
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    return value

"""Calls through the published package's stubs, and the domains of the published sample jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

SAMPLE_DOMAIN = "domain-58010aa2e451"
OLD_DOMAIN = "domain-123456789012"
JOB_SERVICE = "spaceone.api.inventory.v1.Job"
Call = Callable[[str, dict[str, Any], str], dict[str, Any]]


def official(channel: grpc.Channel) -> Call:
    """Calls through the published package's stubs."""
    stub = job_pb2_grpc.JobStub(channel)
    requests = {
        "delete": job_pb2.JobRequest,
        "get": job_pb2.JobRequest,
        "list": job_pb2.JobsQuery,
        "analyze": job_pb2.JobAnalyzeQuery,
        "stat": job_pb2.JobStatQuery,
    }

    def call(method: str, request: dict[str, Any], domain: str) -> dict[str, Any]:
        message = json_format.ParseDict(request, requests[method]())
        answer = getattr(stub, method)(message, metadata=[("x_domain_id", domain)], timeout=10)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    return call


def refused(call: Call, method: str, request: dict[str, Any], domain: str) -> Any:
    with pytest.raises(grpc.RpcError) as raised:
        call(method, request, domain)
    return raised.value

"""Failures as HTTP has them."""

from __future__ import annotations

import pytest
from google.rpc import code_pb2

from inventory_job.errors import (
    InvalidRequest,
    Kind,
    NotFound,
    Overloaded,
    ServiceError,
    Unauthenticated,
    invalid,
)
from inventory_job.transport.http.status import (
    HTTP_STATUSES,
    NotServed,
    RequestTooLarge,
    failure_response,
    status_json,
)

# google/rpc/code.proto, "HTTP Mapping".
MAPPING = {
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.UNAUTHENTICATED: 401,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.NOT_FOUND: 404,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.INTERNAL: 500,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DEADLINE_EXCEEDED: 504,
}


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_has_the_status_of_its_code(kind: Kind) -> None:
    assert HTTP_STATUSES[kind] == MAPPING[code_pb2.Code.Value(kind.name)]


def test_a_failure_is_google_rpc_status_in_json() -> None:
    error = InvalidRequest([invalid("query.page", "too long"), invalid("job_id", "too short")])

    assert status_json(error) == {
        "code": code_pb2.INVALID_ARGUMENT,
        "message": "ERROR_INVALID_PARAMETER: Parameter is invalid. "
        "(key = query.page, reason = too long)",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "field_violations": [
                    {
                        "field": path,
                        "description": "ERROR_INVALID_PARAMETER: Parameter is invalid. "
                        f"(key = {path}, reason = {reason})",
                    }
                    for path, reason in [("query.page", "too long"), ("job_id", "too short")]
                ],
            }
        ],
    }


def test_a_failure_without_details_has_an_empty_list_of_them() -> None:
    assert status_json(NotFound("job-1"))["details"] == []


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (Overloaded("reason"), 429, {"retry-after": "1"}),
        (Unauthenticated("no"), 401, {"www-authenticate": "Bearer"}),
        (NotServed(405, "method", "no", {"allow": "POST"}), 405, {"allow": "POST"}),
        (RequestTooLarge(5), 413, {}),
        (NotFound("job-1"), 404, {}),
    ],
    ids=["overloaded", "unauthenticated", "not served", "too large", "not found"],
)
def test_http_has_headers_of_its_own(
    error: ServiceError, status: int, headers: dict[str, str]
) -> None:
    response = failure_response(error)
    own = {"cache-control": "no-store", "content-type": "application/json"}

    assert response.status_code == status
    assert {**response.headers} == {"content-length": str(len(response.body)), **own, **headers}

"""ServiceErrors → HTTP responses: the status of each kind, and google.rpc.Status as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from starlette.responses import JSONResponse, Response

from inventory_job.errors import (
    Code,
    InvalidRequest,
    Kind,
    ServiceError,
    TooLarge,
    Unauthenticated,
    invalid,
)
from inventory_job.transport.failures import rich_status

HTTP_STATUSES: Mapping[Kind, int] = {
    Kind.INVALID_ARGUMENT: 400,
    Kind.FAILED_PRECONDITION: 400,
    Kind.NOT_FOUND: 404,
    Kind.UNAUTHENTICATED: 401,
    Kind.PERMISSION_DENIED: 403,
    Kind.UNAVAILABLE: 503,
    Kind.DEADLINE_EXCEEDED: 504,
    Kind.RESOURCE_EXHAUSTED: 429,
    Kind.INTERNAL: 500,
}
"""The HTTP status of every kind of error, as google/rpc/code.proto maps them."""


class NotServed(InvalidRequest):
    """An invalid request with a more specific HTTP status than 400; the response has `headers`."""

    def __init__(
        self, http_status: int, key: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(invalid(key, reason))
        self.http_status = http_status
        self.headers = headers or {}


class NoSuchPath(ServiceError):
    """There is no route for the path."""

    kind = Kind.NOT_FOUND
    code = Code.NOT_FOUND
    template = "There is nothing at this path. (path = {})"


class RequestTooLarge(TooLarge):
    """A request body beyond `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__("request", most_bytes)


def http_status(error: ServiceError) -> int:
    """The HTTP status of `error`."""
    if isinstance(error, NotServed):
        return error.http_status
    return 413 if isinstance(error, RequestTooLarge) else HTTP_STATUSES[error.kind]


def failure_response(error: ServiceError) -> Response:
    """The response for `error`: its status, headers such as retry-after, and the JSON body."""
    headers = {"cache-control": "no-store"}
    if error.retry_seconds is not None:
        headers["retry-after"] = str(math.ceil(error.retry_seconds))
    elif isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    elif isinstance(error, NotServed):
        headers |= error.headers
    return JSONResponse(status_json(error), http_status(error), headers)


def status_json(error: ServiceError) -> dict[str, Any]:
    """google.rpc.Status: the same code, message and details as on the gRPC port."""
    members = json_format.MessageToDict(rich_status(error), preserving_proto_field_name=True)
    members.setdefault("details", [])
    return members

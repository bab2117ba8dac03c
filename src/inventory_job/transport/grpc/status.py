"""ServiceErrors → gRPC statuses: code, message, and machine-readable details in the trailers."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from inventory_job.errors import Kind, Overloaded, ServiceError
from inventory_job.transport.rich_status import rich_status

STATUS_CODES = {kind: grpc.StatusCode[kind.value] for kind in Kind}
"""The status code of every kind of error."""


@dataclass(frozen=True, slots=True)
class EndStatus(grpc.Status):
    """The status that ends a gRPC call."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def status_of(error: ServiceError) -> EndStatus:
    """The status to end a gRPC call with; its trailing metadata has `rich_status`."""
    status = rich_status(error)
    trailing: list[tuple[str, str | bytes]] = [
        ("grpc-status-details-bin", status.SerializeToString())
    ]
    if isinstance(error, Overloaded):
        # Clients with a retry policy obey this delay (gRFC A6).
        trailing.append(("grpc-retry-pushback-ms", str(round(error.retry_seconds * 1000))))
    return EndStatus(STATUS_CODES[error.kind], status.message, tuple(trailing))

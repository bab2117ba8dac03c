"""ServiceErrors → gRPC statuses: code, message, and machine-readable details in the trailers."""

from __future__ import annotations

import grpc

from inventory_job.errors import ServiceError
from inventory_job.observability.call_log import Metadata
from inventory_job.transport.failures import rich_status


def status_of(error: ServiceError) -> tuple[grpc.StatusCode, str, Metadata]:
    """What ends a gRPC call: code, details, and trailing metadata, which have `rich_status`."""
    status = rich_status(error)
    trailing: Metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    if error.retry_seconds is not None:
        # Clients with a retry policy obey this delay (gRFC A6).
        trailing += (("grpc-retry-pushback-ms", str(round(error.retry_seconds * 1000))),)
    return grpc.StatusCode[error.kind.value], status.message, trailing

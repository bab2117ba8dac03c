"""`inventory-job health`: asks a running server how it is, for probes."""

from __future__ import annotations

from typing import Annotated, Any

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

_JOB_SERVICE = "spaceone.api.inventory.v1.Job"


def health(
    endpoint: Annotated[
        str,
        typer.Option(envvar="INVENTORY_JOB_ENDPOINT", help="Host and port of the server."),
    ] = "127.0.0.1:50051",
    service: Annotated[
        str,
        typer.Option(
            help="Service asked about; '' is the process alone, whatever its database does."
        ),
    ] = _JOB_SERVICE,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 3.0,
) -> None:
    """Exit with 0 when the server is serving, else with 1 and the reason."""
    with grpc.insecure_channel(endpoint) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = stub.Check(request, timeout=timeout)
        except grpc.RpcError as error:
            typer.echo(f"{endpoint}: {error.code().name}: {error.details()}", err=True)
            raise typer.Exit(1) from error
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    typer.echo(status)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise typer.Exit(1)

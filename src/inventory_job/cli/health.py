"""`inventory-job health`: checks the health of a running server, for probes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from inventory_job.cli.endpoints import InvalidEndpoint, hint, parse_endpoint
from inventory_job.cli.paths import expanded
from inventory_job.transport.grpc.health import REASON
from inventory_job.transport.tls import InvalidTls, channel_credentials

_JOB_SERVICE = "spaceone.api.inventory.v1.Job"


def health(
    endpoint: Annotated[
        str,
        typer.Option(
            envvar="INVENTORY_JOB_ENDPOINT",
            help="Host and port of the server, or a URL: grpc://, https://.",
        ),
    ] = "127.0.0.1:50051",
    service: Annotated[
        str,
        typer.Option(
            help="Service asked about; '' is the process alone, whatever its database does."
        ),
    ] = _JOB_SERVICE,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 3.0,
    tls: Annotated[bool, typer.Option("--tls", help="The server's port has TLS.")] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            callback=expanded, help="With TLS: certificates to trust; default: gRPC's own."
        ),
    ] = None,
    certificate_file: Annotated[
        Path | None, typer.Option(callback=expanded, help="With mutual TLS: the certificate shown.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(callback=expanded, help="With mutual TLS: the certificate's key.")
    ] = None,
    server_name: Annotated[
        str | None, typer.Option(help="With TLS: the name in the certificate, if not the host's.")
    ] = None,
) -> None:
    """Exit with 0 when the server is serving, else with 1 and the reason."""
    try:
        endpoint, tls = parse_endpoint(endpoint, tls=tls)
    except InvalidEndpoint as error:
        raise typer.BadParameter(str(error), param_hint="--endpoint") from error
    given = (ca_file, certificate_file, key_file, server_name)
    if not tls and any(value is not None for value in given):
        raise typer.BadParameter("certificates and names are for --tls")
    if (certificate_file is None) != (key_file is None):
        raise typer.BadParameter("--certificate-file and --key-file go together")
    credentials = _credentials(ca_file, certificate_file, key_file) if tls else None
    with _channel(endpoint, credentials, server_name) as channel:
        status, reasons = _asked(channel, endpoint, service, timeout)
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
    typer.echo(": ".join([name, *reasons]))
    if status != health_pb2.HealthCheckResponse.SERVING:
        raise typer.Exit(1)


def _asked(
    channel: grpc.Channel, endpoint: str, service: str, timeout: float
) -> tuple[int, list[str]]:
    """The status of a service and the reasons for it; exits with 1 when there is no answer."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        answer, call = stub.Check.with_call(request, timeout=timeout)
    except grpc.RpcError as error:
        details = f"{error.details()}{hint(error.details() or '')}"
        typer.echo(f"{endpoint}: {error.code().name}: {details}", err=True)
        raise typer.Exit(1) from error
    reasons = [value for name, value in call.trailing_metadata() or () if name == REASON]
    return answer.status, [str(reason, "utf-8", "replace") for reason in reasons]


def _credentials(
    ca_file: Path | None, certificate_file: Path | None, key_file: Path | None
) -> grpc.ChannelCredentials:
    try:
        return channel_credentials(ca_file, certificate_file, key_file)
    except InvalidTls as error:
        typer.echo(f"inventory-job: {error}", err=True)
        raise typer.Exit(1) from error


def _channel(
    endpoint: str, credentials: grpc.ChannelCredentials | None, server_name: str | None
) -> grpc.Channel:
    if credentials is None:
        return grpc.insecure_channel(endpoint)
    options = [("grpc.ssl_target_name_override", server_name)] if server_name else []
    return grpc.secure_channel(endpoint, credentials, options)

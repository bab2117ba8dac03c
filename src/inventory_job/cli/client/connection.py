"""The options with which a command connects to a server, as a Connection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from inventory_job.cli.client.calls import CallFailed, Connection, ExitCode
from inventory_job.cli.endpoints import InvalidEndpoint, parse_endpoint
from inventory_job.cli.paths import expanded


def _option(help: str, variable: str | None = None, **more: Any) -> Any:  # noqa: A002  as typer's
    return typer.Option(envvar=variable, help=help, rich_help_panel="Connection", **more)


def _file(help: str, variable: str | None = None) -> Any:  # noqa: A002  as typer's
    return _option(help, variable, callback=expanded)


Endpoint = Annotated[
    str,
    _option("Host and port of the server, or a URL: grpc://, https://.", "INVENTORY_JOB_ENDPOINT"),
]
Token = Annotated[
    str | None,
    _option(
        "Token of the caller. On the command line the process list shows it to everybody: better "
        "in the environment, or in a file.",
        "INVENTORY_JOB_TOKEN",
        show_envvar=True,
    ),
]
TokenFile = Annotated[
    Path | None, _file("File with the token; goes before --token.", "INVENTORY_JOB_TOKEN_FILE")
]
Domain = Annotated[
    str | None,
    _option(
        "Domain, for a system token or a server without authentication.", "INVENTORY_JOB_DOMAIN"
    ),
]
Workspace = Annotated[str | None, _option("Workspace, likewise.", "INVENTORY_JOB_WORKSPACE")]
Timeout = Annotated[float, _option("Seconds to wait for an answer.", min=0.1)]
CaFile = Annotated[
    Path | None,
    _file("With TLS: certificates to trust; default: gRPC's own.", "INVENTORY_JOB_CA_FILE"),
]
CertificateFile = Annotated[Path | None, _file("With mutual TLS: the certificate shown.")]
KeyFile = Annotated[Path | None, _file("With mutual TLS: the certificate's key.")]
ServerName = Annotated[
    str | None, _option("With TLS: the name in the certificate, if not the host's.")
]
Tls = Annotated[
    bool,
    typer.Option(
        "--tls",
        envvar="INVENTORY_JOB_TLS",
        help="The server's port has TLS.",
        rich_help_panel="Connection",
    ),
]


def connect(
    endpoint: Endpoint = "127.0.0.1:50051",
    token: Token = None,
    token_file: TokenFile = None,
    domain: Domain = None,
    workspace: Workspace = None,
    timeout: Timeout = 30.0,
    tls: Tls = False,
    ca_file: CaFile = None,
    certificate_file: CertificateFile = None,
    key_file: KeyFile = None,
    server_name: ServerName = None,
) -> Connection:
    """The connection that these options describe. Raises typer.BadParameter, and CallFailed for an
    unreadable token. Every command that calls a server has these parameters."""
    try:
        endpoint, tls = parse_endpoint(endpoint, tls=tls)
    except InvalidEndpoint as error:
        raise typer.BadParameter(str(error), param_hint="--endpoint") from error
    if not tls and any(given is not None for given in (certificate_file, key_file, server_name)):
        raise typer.BadParameter("certificates and names are for --tls")
    if (certificate_file is None) != (key_file is None):
        raise typer.BadParameter("--certificate-file and --key-file go together")
    if token_file is not None:
        token = _token_in(token_file)
    for option, value in (("token", token), ("domain", domain), ("workspace", workspace)):
        if value and not (value.isascii() and value.isprintable()):
            raise typer.BadParameter("letters, digits and signs only", param_hint=f"--{option}")
    return Connection(
        endpoint=endpoint,
        tls=tls,
        ca_file=ca_file,
        certificate_file=certificate_file,
        key_file=key_file,
        server_name=server_name,
        token=token,
        domain_id=domain,
        workspace_id=workspace,
        timeout=timeout,
    )


def _token_in(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        reason = f"cannot read {file}: {error.strerror}"
        raise CallFailed(ExitCode.USAGE, reason) from error
    except UnicodeDecodeError as error:
        raise CallFailed(ExitCode.USAGE, f"{file} holds no token") from error

"""The options that several commands share, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from inventory_job.cli.client import completion
from inventory_job.cli.client.calls import CallFailed, Connection, ExitCode
from inventory_job.cli.client.filters import InvalidFilter, all_names, parse_filter, parse_sort
from inventory_job.cli.client.output import Format
from inventory_job.cli.client.queries import LARGEST_PAGE, Request, Selection
from inventory_job.cli.endpoints import InvalidEndpoint, parse_endpoint

_CONNECTION = "Connection"

Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        "-f",
        metavar="FILTER",
        autocompletion=completion.filters,
        help="Jobs must meet this; may be repeated. status=FAILURE, status=FAILURE,CANCELED, "
        "'status!=SUCCESS', 'created_at>=now-7d', plugin_id~aws (contains), '!~' (does not), "
        "'=~' (regular expression), finished_at=null, FIELD and '!FIELD' (exists or not).",
    ),
]
AnyFilters = Annotated[
    list[str] | None,
    typer.Option(
        "--any",
        metavar="FILTER",
        autocompletion=completion.filters,
        help="Jobs must meet one of these; may be repeated.",
    ),
]
Keyword = Annotated[str, typer.Option("--keyword", "-k", help="Text within the job's id.")]
Sort = Annotated[
    list[str] | None,
    typer.Option(
        "--sort",
        "-s",
        metavar="NAMES",
        autocompletion=completion.sort_keys,
        help="What to sort by, most significant first; '-' is descending: -created_at,status.",
    ),
]
PageNumber = Annotated[int, typer.Option("--page", min=1, help="Page to show, from 1.")]
PageSize = Annotated[int, typer.Option("--page-size", min=1, max=LARGEST_PAGE, help="Its rows.")]
Output = Annotated[
    Format,
    typer.Option(
        "--output",
        "-o",
        help="How the answer is written; csv-bom is CSV with the mark by which Excel knows UTF-8.",
    ),
]


def connect(
    endpoint: Annotated[
        str,
        typer.Option(
            envvar="INVENTORY_JOB_ENDPOINT",
            help="Host and port of the server, or a URL: grpc://, https://.",
            rich_help_panel=_CONNECTION,
        ),
    ] = "127.0.0.1:50051",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="INVENTORY_JOB_TOKEN",
            show_envvar=True,
            help="Token of the caller. On the command line the process list shows it to "
            "everybody: better in the environment, or in a file.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="INVENTORY_JOB_TOKEN_FILE",
            help="File with the token; goes before --token.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            envvar="INVENTORY_JOB_DOMAIN",
            help="Domain, for a system token or a server without authentication.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    workspace: Annotated[
        str | None,
        typer.Option(
            envvar="INVENTORY_JOB_WORKSPACE",
            help="Workspace, likewise.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="Seconds to wait for an answer.",
            rich_help_panel=_CONNECTION,
        ),
    ] = 30.0,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            envvar="INVENTORY_JOB_TLS",
            help="The server's port has TLS.",
            rich_help_panel=_CONNECTION,
        ),
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            envvar="INVENTORY_JOB_CA_FILE",
            help="With TLS: certificates to trust; default: gRPC's own.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    certificate_file: Annotated[
        Path | None,
        typer.Option(help="With mutual TLS: the certificate shown.", rich_help_panel=_CONNECTION),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help="With mutual TLS: the certificate's key.", rich_help_panel=_CONNECTION),
    ] = None,
    server_name: Annotated[
        str | None,
        typer.Option(
            help="With TLS: the name in the certificate, if not the host's.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
) -> Connection:
    """The connection that these options describe; raises typer.BadParameter, or CallFailed for a
    token that cannot be read. Its parameters are those of every command that calls a server."""
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


def selection(
    filters: Sequence[str] | None, any_filters: Sequence[str] | None, keyword: str
) -> Selection:
    """The jobs that these options select; raises typer.BadParameter."""
    try:
        conditions = tuple(map(parse_filter, filters or ()))
    except InvalidFilter as error:
        raise typer.BadParameter(str(error), param_hint="--filter") from error
    try:
        alternatives = tuple(map(parse_filter, any_filters or ()))
    except InvalidFilter as error:
        raise typer.BadParameter(str(error), param_hint="--any") from error
    return Selection(conditions, alternatives, keyword)


def sorting(sort: Sequence[str] | None) -> list[Request]:
    """The sort keys in these options; raises typer.BadParameter."""
    try:
        return [key for text in sort or () for key in parse_sort(text)]
    except InvalidFilter as error:
        raise typer.BadParameter(str(error), param_hint="--sort") from error


def names(option: str, texts: Sequence[str] | None) -> tuple[str, ...]:
    """The names in the lists that `option` was given; raises typer.BadParameter."""
    try:
        return tuple(dict.fromkeys(all_names(texts or ())))
    except InvalidFilter as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _token_in(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        reason = f"cannot read {file}: {error.strerror}"
        raise CallFailed(ExitCode.USAGE, reason) from error
    except UnicodeDecodeError as error:
        raise CallFailed(ExitCode.USAGE, f"{file} holds no token") from error

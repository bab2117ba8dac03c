"""`inventory-job token`: key pairs and tokens for development and tests."""

from __future__ import annotations

import json
import os
import re
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from inventory_job.auth.keys import InvalidKey, read_keys
from inventory_job.auth.policy import DOMAIN_ADMIN, WORKSPACE_MEMBER, WORKSPACE_OWNER
from inventory_job.cli.flags import Command, Group
from inventory_job.cli.paths import expanded
from inventory_job.cli.signing import claims_of, make_key_pair, sign

KEY_FILE = "keys.json"
"""The name of the file with the public keys, as the setting auth_key_file takes it."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST_HOURS = 10 * 365 * 24

app = typer.Typer(
    cls=Group,
    name="token",
    help="Keys and tokens for development and tests.",
    no_args_is_help=True,
)


class Role(StrEnum):
    """All roles; users with the last two may not call any method of this server."""

    DOMAIN_ADMIN = DOMAIN_ADMIN
    WORKSPACE_OWNER = WORKSPACE_OWNER
    WORKSPACE_MEMBER = WORKSPACE_MEMBER
    USER = "USER"
    SYSTEM_ADMIN = "SYSTEM_ADMIN"


DomainId = Annotated[str, typer.Option(help="Domain whose tokens the key signs.")]


@app.command("keys", cls=Command)
def keys(
    domain_id: DomainId,
    directory: Annotated[
        Path,
        typer.Option(
            file_okay=False, callback=expanded, help="Where the files go; made if need be."
        ),
    ] = Path("keys"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace the key that the domain has there.")
    ] = False,
) -> None:
    """Make a key pair for a domain: DIRECTORY/<domain>.pem, to sign with and readable by you
    alone, and DIRECTORY/keys.json, the public keys of all domains made there."""
    _check_identifier("--domain-id", domain_id)
    private_file, key_file = directory / f"{domain_id}.pem", directory / KEY_FILE
    if private_file.exists() and not force:
        _end(f"{private_file} is there already; --force replaces it")
    try:
        known = _known_keys(key_file)
        if domain_id in known and not force:
            _end(f"{key_file} has a key of {domain_id} already; --force replaces it")
        private_pem, jwk = make_key_pair()
        directory.mkdir(parents=True, exist_ok=True)
        _replace(private_file, private_pem, 0o600)
        text = json.dumps({**known, domain_id: jwk}, indent=2) + "\n"
        _replace(key_file, text.encode(), 0o644)
    except (OSError, InvalidKey) as error:
        _end(f"cannot write the keys: {error}")
    typer.echo(private_file)
    typer.echo(key_file)


@app.command("sign", cls=Command)
def sign_token(
    key: Annotated[
        Path, typer.Option(callback=expanded, help="Private key in PEM form, of `token keys`.")
    ],
    domain_id: DomainId,
    role: Annotated[Role | None, typer.Option(help="Role of the user or app.")] = None,
    workspace_id: Annotated[
        str | None, typer.Option(help="Workspace of the user or app, for a workspace's role.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(help="Client id of an app, whose token it is then.")
    ] = None,
    permission: Annotated[
        list[str] | None, typer.Option(help="Permission; may be repeated. None: all of the role.")
    ] = None,
    hours: Annotated[
        float, typer.Option(min=0.001, max=_MOST_HOURS, help="How long the token is good for.")
    ] = 12.0,
    system: Annotated[
        bool, typer.Option("--system", help="A system token: every tenant, every method.")
    ] = False,
) -> None:
    """Print a token, signed with a private key."""
    if system == (role is not None):
        _end("either --role or --system is needed")
    if (role in (Role.WORKSPACE_OWNER, Role.WORKSPACE_MEMBER)) != (workspace_id is not None):
        _end("--workspace-id goes with a workspace's role, and with no other")
    if system and permission:
        _end("--permission does not limit a system token")
    if system and client_id is not None:
        _end("--client-id is for the token of an app, --system for one of a service")
    _check_identifier("--domain-id", domain_id)
    for option, value in (("--workspace-id", workspace_id), ("--client-id", client_id)):
        if value is not None:
            _check_identifier(option, value)
    claims = claims_of(domain_id, role, workspace_id, permission, client_id)
    now = int(time.time())
    try:
        token = sign(claims | {"iat": now, "exp": now + int(hours * 3600)}, key.read_bytes())
    except (OSError, InvalidKey) as error:
        _end(f"cannot sign with {key}: {error}")
    typer.echo(token)


def _check_identifier(option: str, value: str) -> None:
    if not _IDENTIFIER.fullmatch(value):
        _end(f"{option} takes letters, digits, - and _, not more than 64")


def _known_keys(key_file: Path) -> dict[str, Any]:
    """The keys by domain in the file, {} if there is none; raises InvalidKey if it has others."""
    if not key_file.exists():
        return {}
    if read_keys(key_file).by_kid:
        raise InvalidKey(f"{key_file} is a JWKS")
    known: dict[str, Any] = json.loads(key_file.read_text(encoding="utf-8"))
    return known


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Writes a file atomically, never with more permissions than `mode`."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def _end(reason: str) -> NoReturn:
    typer.echo(f"inventory-job: {reason}", err=True)
    raise typer.Exit(2)

"""Key pairs and tokens for development and tests; a cluster has an identity service for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from inventory_job.auth.claims import SYSTEM_TOKEN
from inventory_job.auth.keys import ALGORITHM, InvalidKey

_KEY_BITS = 2048


def make_key_pair() -> tuple[bytes, dict[str, Any]]:
    """A new private key in PEM form, and its public key as a JWK."""
    key = RSAKey.generate_key(_KEY_BITS)
    return key.as_pem(private=True), dict(key.as_dict(private=False, use="sig", alg=ALGORITHM))


def sign(claims: dict[str, Any], private_pem: bytes) -> str:
    """A signed token with `claims`; raises InvalidKey unless the key is a private RSA key."""
    try:
        key = RSAKey.import_key(private_pem)
        is_private = key.is_private
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidKey("it is not an RSA key in PEM form") from error
    if not is_private:
        raise InvalidKey("it is a public key, which signs nothing")
    header = {"alg": ALGORITHM, "typ": "JWT"}
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=[ALGORITHM])


def claims_of(
    domain_id: str,
    role: str | None = None,
    workspace_id: str | None = None,
    permissions: Sequence[str] | None = None,
    client_id: str | None = None,
) -> dict[str, Any]:
    """The claims of a token, except its times. It is a system token if `role` is None, else that of
    an app if `client_id` is given, else that of a user."""
    kind, owner = ("ACCESS_TOKEN", "USER") if client_id is None else ("CLIENT_SECRET", "APP")
    if role is None:
        kind, owner = SYSTEM_TOKEN, "SYSTEM"
    service = {"iss": "inventory-job", "aud": "development", "ver": "2.0"}
    given = {"rol": role, "wid": workspace_id, "permissions": permissions, "jti": client_id}
    optional = {name: value for name, value in given.items() if value}
    return service | {"typ": kind, "own": owner, "did": domain_id} | optional

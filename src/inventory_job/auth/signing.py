"""Key pairs and tokens for development and tests; a cluster's come from its identity service."""

from __future__ import annotations

import json
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from inventory_job.auth.claims import SYSTEM_TOKEN
from inventory_job.auth.keys import ALGORITHM, InvalidKey

_KEY_BITS = 2048


def make_key_pair() -> tuple[bytes, dict[str, Any]]:
    """A new private key in PEM form, and its public part as a JWK."""
    key = RSAKey.generate_key(_KEY_BITS)
    public = key.as_dict(private=False)
    jwk = {"kty": "RSA", "use": "sig", "alg": ALGORITHM, "n": public["n"], "e": public["e"]}
    return key.as_pem(private=True), jwk


def sign(claims: dict[str, Any], private_pem: bytes) -> str:
    """A token with `claims`; raises InvalidKey unless the key is a private RSA key."""
    try:
        key = RSAKey.import_key(private_pem)
        is_private = key.is_private
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidKey("it is not an RSA key in PEM form") from error
    if not is_private:
        raise InvalidKey("it is a public key, which signs nothing")
    header = {"alg": ALGORITHM, "typ": "JWT"}
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=[ALGORITHM])


def user_claims(
    domain_id: str, role: str, workspace_id: str | None, permissions: tuple[str, ...]
) -> dict[str, Any]:
    """The claims of a user's token, its times aside."""
    found = _claims(domain_id, "ACCESS_TOKEN", "USER") | {"rol": role}
    if workspace_id is not None:
        found["wid"] = workspace_id
    return found | ({"permissions": list(permissions)} if permissions else {})


def app_claims(
    domain_id: str,
    client_id: str,
    role: str,
    workspace_id: str | None,
    permissions: tuple[str, ...],
) -> dict[str, Any]:
    """The claims of an app's token, its times aside; `client_id` is the app's name at identity."""
    user = user_claims(domain_id, role, workspace_id, permissions)
    return user | {"typ": "CLIENT_SECRET", "own": "APP", "jti": client_id}


def system_claims(domain_id: str) -> dict[str, Any]:
    """The claims of a system token, its times aside."""
    return _claims(domain_id, SYSTEM_TOKEN, "SYSTEM")


def _claims(domain_id: str, kind: str, owner: str) -> dict[str, Any]:
    service = {"iss": "inventory-job", "aud": "development", "ver": "2.0"}
    return service | {"typ": kind, "own": owner, "did": domain_id}

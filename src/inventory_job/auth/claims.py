"""Validation of a token's claims (docs/authentication.md#tokens)."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from inventory_job.auth.callers import Caller
from inventory_job.auth.policy import INJECTABLE, WORKSPACE_ROLES
from inventory_job.auth.scope import DOMAIN_WIDE
from inventory_job.errors import Unauthenticated

SYSTEM_TOKEN = "SYSTEM_TOKEN"  # noqa: S105  a token type
ANY_DOMAIN = "*"
"""The system domain that stands for every domain."""
_TYPES = (SYSTEM_TOKEN, "ACCESS_TOKEN", "CLIENT_SECRET")
_OWNERS = ("USER", "APP", "SYSTEM")
_VERSION = "2.0"
_LONGEST_ID = 128
_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "a dictionary": lambda value: isinstance(value, dict),
    "a list of texts": lambda value: (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    ),
    # Excludes booleans, NaN, and integers that are too large for a float.
    "a time": lambda value: type(value) in (int, float) and abs(value) <= sys.float_info.max,
    "an identifier": lambda value: (
        isinstance(value, str) and len(value) <= _LONGEST_ID and value.isprintable()
    ),
}
"""The kinds of values of claims, by their names in reasons."""


def domain_of(payload: Mapping[str, Any]) -> str:
    """The domain whose key verifies the token; raises Unauthenticated if the token names none.

    No other claim may be read before the signature is verified.
    """
    domain_id: str | None = _claim(payload, "did", "an identifier")
    if not domain_id:
        raise Unauthenticated("the token names no domain (did)")
    return domain_id


def check_claims(
    payload: Mapping[str, Any], now: float, leeway: float
) -> tuple[Caller, float, str]:
    """What a token with a verified signature says: the caller, when it expires, and the client id
    of an app, "" if the owner is not an app. Raises Unauthenticated if a claim is invalid.

    Times are seconds since the epoch; those in the token may be off by `leeway` seconds. A system
    token may lack an expiry, which is infinite then; each call with it names its tenant itself.
    """
    domain_id = domain_of(payload)
    expires = _check_times(payload, now, leeway)
    kind, owner = payload.get("typ"), payload.get("own")
    if kind not in _TYPES:
        raise Unauthenticated("a token of this type (typ) is not accepted")
    if owner not in _OWNERS:
        raise Unauthenticated("the token's owner (own) is none of USER, APP and SYSTEM")
    system = kind == SYSTEM_TOKEN
    if system != (owner == "SYSTEM"):
        raise Unauthenticated("the token's type (typ) and owner (own) do not fit together")
    if not system and payload.get("ver") != _VERSION:
        raise Unauthenticated(f"the token's version (ver) is not {_VERSION}")
    role = payload.get("rol", "")
    if not isinstance(role, str):
        raise Unauthenticated("the token's role (rol) is not a text")
    client_id = _claim(payload, "jti", "an identifier") if owner == "APP" else ""
    if owner == "APP" and not client_id:
        raise Unauthenticated("the app's token has no client id (jti)")
    caller = Caller(
        domain_id,
        _workspace_of(payload, role),
        role,
        system,
        tuple(_claim(payload, "permissions", "a list of texts") or ()),
        _injected(payload),
    )
    return caller, expires, client_id


def _check_times(payload: Mapping[str, Any], now: float, leeway: float) -> float:
    expires: float | None = _claim(payload, "exp", "a time")
    if expires is None:
        if payload.get("typ") != SYSTEM_TOKEN:
            raise Unauthenticated("the token has no expiry (exp)")
        # The identity service issues system tokens without expiry; revoking their key ends them.
        expires = math.inf
    if now >= expires + leeway:
        raise Unauthenticated("the token has expired")
    for name in ("nbf", "iat"):
        begins = _claim(payload, name, "a time")
        if begins is not None and now < begins - leeway:
            raise Unauthenticated(f"the token is not valid yet ({name})")
    return expires


def _workspace_of(payload: Mapping[str, Any], role: str) -> str:
    if role not in WORKSPACE_ROLES:
        return ""
    workspace_id: str | None = _claim(payload, "wid", "an identifier")
    if not workspace_id or workspace_id == DOMAIN_WIDE:
        raise Unauthenticated("the token of a workspace's role names no workspace (wid)")
    return workspace_id


def _injected(payload: Mapping[str, Any]) -> Mapping[str, str]:
    given = _claim(payload, "injected_params", "a dictionary") or {}
    # Other services get the same tokens: ignore the parameters that only they have.
    names = sorted(INJECTABLE & given.keys())
    ours = {name: _claim(given, name, "an identifier") for name in names}
    if not all(ours.values()):
        raise Unauthenticated("a parameter in the token's injected_params is empty")
    return MappingProxyType(ours)


def _claim(payload: Mapping[str, Any], name: str, kind: str) -> Any:
    """The value of a claim, None without one; raises Unauthenticated if it is not of that kind."""
    value = payload.get(name)
    if value is not None and not _KINDS[kind](value):
        raise Unauthenticated(f"the token's {name} is not {kind}")
    return value

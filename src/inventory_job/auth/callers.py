"""Callers, and the call metadata by which they are authenticated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from inventory_job.errors import InvalidRequest, Unauthenticated, invalid, required


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    `workspace_id`: the token's, if `role` is a workspace role. `system`: the caller holds a system
    token or is trusted as if it did (mode none); both ids are then those in the call's metadata.
    `permissions`: if empty, everything that `role` allows.
    `injected_params`: parameters in the token that replace those of the request.
    """

    domain_id: str
    workspace_id: str = ""
    role: str = ""
    system: bool = False
    permissions: tuple[str, ...] = ()
    injected_params: Mapping[str, str] = field(default_factory=dict)


class Authenticator(Protocol):
    """Authenticates callers."""

    async def authenticate(self, metadata: Iterable[tuple[str, str]]) -> Caller:
        """The caller identified by a call's metadata, given as (key, value) pairs.

        Suspends only during remote look-ups of keys and apps, which may be cancelled. Raises
        Unauthenticated, Unavailable, or InvalidRequest for a tenant that is missing or given
        twice.
        """


class AnonymousAuthenticator:
    """Mode none: trusts every caller like the holder of a system token."""

    def __init__(self, default_domain_id: str | None = None) -> None:
        self._default_domain_id = default_domain_id or ""

    async def authenticate(self, metadata: Iterable[tuple[str, str]]) -> Caller:
        """Never suspends. The domain is that of `x_domain_id` or, without it, the default."""
        _, domain_id, workspace_id = read_metadata(metadata)
        return trusted_caller(domain_id or self._default_domain_id, workspace_id, {})


@dataclass(slots=True)
class AuthStats:
    """Counters of authentication since the server started.

    `remembered`: calls whose token was in the cache of verified tokens; `verified`: calls whose
    token was not, and was checked in full, valid or not. `identity_calls`: calls to the identity
    service; `identity_failures`: those that got no answer. All stay 0 in mode none.
    """

    remembered: int = 0
    verified: int = 0
    identity_calls: int = 0
    identity_failures: int = 0


def trusted_caller(domain_id: str, workspace_id: str, injected_params: Mapping[str, str]) -> Caller:
    """A caller with system access to the domain; raises InvalidRequest if it is empty."""
    if not domain_id:
        raise InvalidRequest(required("domain_id"))
    return Caller(domain_id, workspace_id, system=True, injected_params=injected_params)


def read_metadata(pairs: Iterable[tuple[str, str]]) -> tuple[str, str, str]:
    """The token, domain and workspace in `pairs`; a missing one is "". Each key is accepted once
    only, because proxies and servers disagree about which of two values counts.

    Raises Unauthenticated for a second token, InvalidRequest for a second domain or workspace.
    """
    found: dict[str, str] = {}
    for key, value in pairs:
        if key not in ("token", "x_domain_id", "x_workspace_id"):
            continue
        if key in found and key == "token":
            raise Unauthenticated("more than one token is given")
        if key in found:
            raise InvalidRequest(invalid(key, "it is given more than once"))
        found[key] = value
    return found.get("token", ""), found.get("x_domain_id", ""), found.get("x_workspace_id", "")

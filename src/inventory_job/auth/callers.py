"""The caller of a call, and what the metadata of a call say about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from inventory_job.errors import InvalidRequest, Unauthenticated, invalid, required


@dataclass(frozen=True, slots=True)
class Caller:
    """An established caller.

    `workspace_id`: that of the token, if its role is one of a workspace. `system`: holds a system
    token, or is trusted like one; then the call names both ids, whatever the token says.
    `permissions` empty means all that `role` allows.
    `injected_params` are request parameters that the token prescribes.
    """

    domain_id: str
    workspace_id: str = ""
    role: str = ""
    system: bool = False
    permissions: tuple[str, ...] = ()
    injected_params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """The metadata of a call that are ours; "" where nothing is given."""

    token: str = ""
    domain_id: str = ""
    workspace_id: str = ""


class Authenticator(Protocol):
    """Metadata → Caller."""

    async def authenticate(self, metadata: Iterable[tuple[str, str]]) -> Caller:
        """The caller that the (key, value) pairs of a call establish.

        Suspends only while a key or an app is looked up elsewhere, and may be cancelled then.
        Raises Unauthenticated, InvalidRequest (a tenant that has to be named and is not) or
        Unavailable.
        """


class AnonymousAuthenticator:
    """Mode none: every caller is trusted like the holder of a system token."""

    def __init__(self, default_domain_id: str | None = None) -> None:
        self._default_domain_id = default_domain_id or ""

    async def authenticate(self, metadata: Iterable[tuple[str, str]]) -> Caller:
        """Never suspends. The domain is x_domain_id, else the default."""
        given = read_metadata(metadata)
        return trusted_caller(given, given.domain_id or self._default_domain_id, {})


@dataclass(slots=True)
class AuthStats:
    """Counters of authentication since the start.

    `remembered`: calls with a token that had been verified a moment before; `verified`: calls
    whose token was looked at as a whole, good or not. `identity_calls`: calls to the identity
    service; `identity_failures`: those that brought no answer. All stay 0 without tokens.
    """

    remembered: int = 0
    verified: int = 0
    identity_calls: int = 0
    identity_failures: int = 0


def trusted_caller(
    given: CallMetadata, domain_id: str, injected_params: Mapping[str, str]
) -> Caller:
    """The caller of a call that names its tenant; raises InvalidRequest without a domain."""
    if not domain_id:
        raise InvalidRequest(required("domain_id"))
    return Caller(domain_id, given.workspace_id, system=True, injected_params=injected_params)


def read_metadata(pairs: Iterable[tuple[str, str]]) -> CallMetadata:
    """The values of our keys in `pairs`, each of which may be there once: proxies and servers
    disagree about which of two values counts.

    Raises Unauthenticated for a second token, InvalidRequest for a second tenant.
    """
    found: dict[str, str] = {}
    for key, value in pairs:
        if key not in ("token", "x_domain_id", "x_workspace_id"):
            continue
        name = key.removeprefix("x_")
        if name in found and key == "token":
            raise Unauthenticated("more than one token is given")
        if name in found:
            raise InvalidRequest(invalid(key, "it is given more than once"))
        found[name] = value
    return CallMetadata(**found)

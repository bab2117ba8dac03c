"""Who is calling: the value, and what a call's metadata say about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
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
    projects: tuple[str, ...] = ()
    injected_params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """The call metadata of spec/interface.md; "" where nothing is given."""

    token: str = ""
    domain_id: str = ""
    workspace_id: str = ""


class Authenticator(Protocol):
    """Metadata → Caller."""

    def authenticate(
        self, metadata: Iterable[tuple[str, str]], until: float | None = None
    ) -> Caller:
        """The caller that the (key, value) pairs of a call establish.

        `until`: the call's deadline in seconds of time.monotonic(), if it has one; nobody is waited
        for beyond it. Raises Unauthenticated, InvalidRequest (a tenant that has to be named and is
        not), Unavailable or RequestTimeout.
        """

    def recall(self, metadata: Iterable[tuple[str, str]]) -> Caller | None:
        """As `authenticate`, where that takes no time: nobody is asked, and nothing computed that
        is known from a moment ago. None otherwise."""


class AnonymousAuthenticator:
    """Mode none: whoever calls is trusted as a system token's holder."""

    def __init__(self, default_domain_id: str | None = None) -> None:
        self._default_domain_id = default_domain_id or ""

    def authenticate(
        self, metadata: Iterable[tuple[str, str]], until: float | None = None
    ) -> Caller:
        """As Authenticator; the domain is x_domain_id, else the default."""
        given = read_metadata(metadata)
        return trusted_caller(given, given.domain_id or self._default_domain_id)

    def recall(self, metadata: Iterable[tuple[str, str]]) -> Caller | None:
        """As Authenticator."""
        return self.authenticate(metadata)


def trusted_caller(given: CallMetadata, domain_id: str) -> Caller:
    """A caller who names the tenant; raises InvalidRequest without one."""
    if not domain_id:
        raise InvalidRequest(required("domain_id"))
    return _trusted_caller(domain_id, given.workspace_id)


@lru_cache(1024)
def _trusted_caller(domain_id: str, workspace_id: str) -> Caller:
    return Caller(domain_id, workspace_id, system=True)


def read_metadata(pairs: Iterable[tuple[str, str]]) -> CallMetadata:
    """The keys of ours in `pairs`, of which each may be there once.

    Of two values one would win, and not every hop agrees which. Raises Unauthenticated for a
    second token, InvalidRequest for a second tenant.
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
    return CallMetadata(
        found.get("token", ""), found.get("x_domain_id", ""), found.get("x_workspace_id", "")
    )

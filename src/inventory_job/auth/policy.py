"""Permission, roles, and the scope put on every query."""

from __future__ import annotations

import ipaddress

from inventory_job.auth.callers import Caller
from inventory_job.auth.scope import DOMAIN_WIDE, Scope


def authorize(caller: Caller, method: str) -> None:
    """Raises PermissionDenied."""


def scope_for(caller: Caller, method: str, requested_workspace_id: str | None) -> Scope:
    """The scope of a call."""
    if not caller.workspace_id:
        return Scope(caller.domain_id)
    if method in ("stat", "delete"):
        return Scope(caller.domain_id, (caller.workspace_id,))
    return Scope(caller.domain_id, (caller.workspace_id, DOMAIN_WIDE))


def is_loopback(host: str) -> bool:
    """Whether `host` is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

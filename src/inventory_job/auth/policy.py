"""Permission, roles, and the scope put on every query (docs/authentication.md)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inventory_job.auth.callers import Caller
from inventory_job.auth.scope import DOMAIN_WIDE, Scope
from inventory_job.errors import PermissionDenied

DOMAIN_ADMIN = "DOMAIN_ADMIN"
WORKSPACE_OWNER = "WORKSPACE_OWNER"
WORKSPACE_MEMBER = "WORKSPACE_MEMBER"
WORKSPACE_ROLES = frozenset({WORKSPACE_OWNER, WORKSPACE_MEMBER})
"""The roles of one workspace; their tokens name it."""

INJECTABLE = frozenset(
    {"domain_id", "workspace_id", "job_id", "collector_id", "plugin_id", "status"}
)
"""The request parameters that a token may prescribe."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The roles and permissions that may call a method, and the parameters it takes.

    `sees_domain_wide`: a caller of one workspace also gets at the jobs of the whole domain.
    `parameters`: its injectable request parameters, those that are part of the scope aside.
    """

    permission: str
    roles: frozenset[str]
    sees_domain_wide: bool
    parameters: frozenset[str] = frozenset()


_READ = "inventory:Job.read"
_READERS = frozenset({DOMAIN_ADMIN, WORKSPACE_OWNER, WORKSPACE_MEMBER})
_WRITERS = frozenset({DOMAIN_ADMIN, WORKSPACE_OWNER})
_JOB = frozenset({"job_id"})

RULES: Mapping[str, Rule] = {
    "delete": Rule("inventory:Job.write", _WRITERS, False, _JOB),
    "get": Rule(_READ, _READERS, True, _JOB),
    "list": Rule(_READ, _READERS, True, INJECTABLE - {"domain_id", "workspace_id"}),
    "analyze": Rule(_READ, _READERS, True),
    "stat": Rule(_READ, _READERS, False),
}
"""The rule of every method of Job."""


def authorize(caller: Caller, method: str) -> None:
    """Raises PermissionDenied unless `caller` may call `method` at all."""
    if caller.system:
        return
    rule = RULES[method]
    if caller.role not in rule.roles:
        raise PermissionDenied(f"the caller's role may not call {method}")
    if caller.permissions and not any(
        covers(prefix, rule.permission) for prefix in caller.permissions
    ):
        raise PermissionDenied(f"the caller's permissions do not cover {rule.permission}")


def covers(prefix: str, permission: str) -> bool:
    """Whether `prefix` is one of `permission` and ends at a boundary: `:`, `.` or the end."""
    if not prefix or not permission.startswith(prefix):
        return False
    rest = permission[len(prefix) :]
    return not rest or prefix[-1] in ":." or rest[0] in ":."


def confine(
    caller: Caller, method: str, request: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Scope]:
    """The decoded `request` as it may be run, and its scope: with the token's parameters over the
    caller's own, and with its workspace_id moved into the scope.

    Raises PermissionDenied when the token prescribes another domain than its own, or names no
    workspace for the role of one.
    """
    rule = RULES[method]
    injected = caller.injected_params
    if injected.get("domain_id", caller.domain_id) != caller.domain_id:
        raise PermissionDenied("the token prescribes another domain than its own")
    prescribed = {name: value for name, value in injected.items() if name in rule.parameters}
    confined = {**request, **prescribed}
    scope = scope_for(caller, method, confined.pop("workspace_id", ""))
    return confined, scope


def scope_for(caller: Caller, method: str, requested_workspace_id: str) -> Scope:
    """The scope of a call; `requested_workspace_id` is the request's own, "" without one.

    Whatever was requested, the caller's workspace goes first, which for a system token is
    x_workspace_id; a caller of the whole domain may choose one. Raises PermissionDenied for a role
    of a workspace without one.
    """
    has_domain = caller.system or caller.role == DOMAIN_ADMIN
    if not (has_domain or caller.workspace_id):
        raise PermissionDenied("the caller's role is one of a workspace, and none is known")
    workspace_id = requested_workspace_id if has_domain else ""
    if caller.system or not has_domain:
        workspace_id = caller.workspace_id or workspace_id
    workspace_id = caller.injected_params.get("workspace_id", workspace_id)
    if not workspace_id:
        return Scope(caller.domain_id)
    if RULES[method].sees_domain_wide and workspace_id != DOMAIN_WIDE:
        return Scope(caller.domain_id, (workspace_id, DOMAIN_WIDE))
    return Scope(caller.domain_id, (workspace_id,))


def is_loopback(host: str) -> bool:
    """Whether `host` is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

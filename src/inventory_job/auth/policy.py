"""Roles, permissions, and the scope added to every query (docs/authentication.md)."""

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
"""The roles within one workspace, which the token names."""

INJECTABLE = frozenset(
    {"domain_id", "workspace_id", "job_id", "collector_id", "plugin_id", "status"}
)
"""The request parameters that a token may prescribe."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a method: the permission required, and the roles, one of which is required.

    `sees_domain_wide`: a scope of one workspace also includes the jobs of the whole domain.
    `parameters`: those that a token may inject beside `domain_id` and `workspace_id`.
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
"""The rule for each method of the Job service."""


def authorize(caller: Caller, method: str) -> None:
    """Raises PermissionDenied unless the caller's role and permissions allow `method`."""
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
    """Whether `permission` starts with `prefix`, up to a `:`, a `.` or its end."""
    if not prefix or not permission.startswith(prefix):
        return False
    rest = permission[len(prefix) :]
    return not rest or prefix[-1] in ":." or rest[0] in ":."


def confine(
    caller: Caller, method: str, request: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Scope]:
    """The request to run, and its scope: parameters in the token replace those of the decoded
    `request`, and `workspace_id` moves from the request to the scope.

    Raises PermissionDenied if the token injects a domain other than its own, or has a workspace
    role but no workspace.
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
    """The scope of a call; `requested_workspace_id` is the one in the request, or "".

    The workspace is the first of: the one injected by the token; the caller's own (`x_workspace_id`
    with a system token); the requested one, for system tokens and DOMAIN_ADMIN only. With none of
    them, the scope is the whole domain. Raises PermissionDenied for a workspace role without one.
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
    """Whether `host` is a loopback address or `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

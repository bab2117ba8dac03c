"""The part of the database a caller may see."""

from __future__ import annotations

from dataclasses import dataclass

DOMAIN_WIDE = "*"
"""The workspace_id of a job that belongs to a whole domain (docs/data-model.md#job)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One domain (the tenant), and all or some of its workspaces.

    Empty `workspace_ids` means all workspaces and the jobs of the whole domain; otherwise a job
    must have one of the ids, such as a workspace and `DOMAIN_WIDE`. Raises ValueError without a
    domain: no scope covers several tenants.
    """

    domain_id: str
    workspace_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.domain_id:
            raise ValueError("a scope has a domain")

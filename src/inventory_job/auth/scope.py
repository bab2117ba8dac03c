"""The part of the database a caller may see."""

from __future__ import annotations

from dataclasses import dataclass

DOMAIN_WIDE = "*"
"""The workspace_id of a job that belongs to a whole domain (docs/data-model.md#job)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One tenant, and within it all workspaces or some.

    `workspace_ids` empty means every workspace of the domain; one means exactly that; several
    mean any of them (a workspace and `DOMAIN_WIDE`). Raises ValueError without a domain: there
    is no scope over all tenants.
    """

    domain_id: str
    workspace_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.domain_id:
            raise ValueError("a scope has a domain")

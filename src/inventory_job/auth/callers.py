"""Who is calling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inventory_job.errors import InvalidRequest, required


@dataclass(frozen=True, slots=True)
class Caller:
    """An established caller."""

    domain_id: str
    workspace_id: str = ""
    system: bool = False


class Authenticator(Protocol):
    """Metadata → Caller."""

    def authenticate(self, metadata: Sequence[tuple[str, str]]) -> Caller: ...


class AnonymousAuthenticator:
    """Mode none: whoever calls is trusted as a system token's holder."""

    def __init__(self, default_domain_id: str | None = None) -> None:
        self._default_domain_id = default_domain_id

    def authenticate(self, metadata: Sequence[tuple[str, str]]) -> Caller:
        given = dict(metadata)
        domain_id = given.get("x_domain_id") or self._default_domain_id
        if not domain_id:
            raise InvalidRequest(required("domain_id"))
        return Caller(domain_id, given.get("x_workspace_id", ""), system=True)

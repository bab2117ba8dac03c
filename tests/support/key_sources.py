"""Keys and apps of a test, in memory, with a record of checks."""

from __future__ import annotations

import math

from joserfc.jwk import RSAKey

from inventory_job.auth.keys import parse_key
from tests.support.tokens import Issuer


class Keys:
    """A KeySource over keys that a test may change."""

    def __init__(self, *issuers: Issuer) -> None:
        self.known = {issuer.domain_id: parse_key(issuer.jwk) for issuer in issuers}

    async def __call__(
        self, domain_id: str, kid: str | None, since: float = -math.inf, unfit: RSAKey | None = None
    ) -> RSAKey | None:
        return self.known.get(domain_id)


class Apps:
    """Knows one app; records the apps that were checked."""

    def __init__(self, permissions: tuple[str, ...] | None) -> None:
        self.permissions = permissions
        self.checked: list[tuple[str, str]] = []

    async def check(self, app: tuple[str, str]) -> tuple[str, ...] | None:
        self.checked.append(app)
        return self.permissions

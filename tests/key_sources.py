"""Where a test's keys and apps are known: in memory, and counted."""

from __future__ import annotations

from inventory_job.auth.keys import VerificationKey, parse_key
from inventory_job.auth.tokens import AppGrant
from tests.tokens import Issuer


class Keys:
    """A KeySource over keys that a test may change; counts how often it is asked."""

    def __init__(self, *issuers: Issuer) -> None:
        self.known = {issuer.domain_id: parse_key(issuer.jwk) for issuer in issuers}
        self.asked = 0

    def find(
        self, domain_id: str, kid: str | None, until: float | None = None
    ) -> VerificationKey | None:
        self.asked += 1
        return self.known.get(domain_id)

    def at_hand(self, domain_id: str, kid: str | None) -> VerificationKey | None:
        return self.known.get(domain_id)

    def find_newer(
        self,
        domain_id: str,
        kid: str | None,
        since: float,
        unfit: VerificationKey | None,
        until: float | None = None,
    ) -> VerificationKey | None:
        return self.known.get(domain_id)


class Apps:
    """An AppChecker that knows one app."""

    def __init__(self, grant: AppGrant | None) -> None:
        self.grant = grant
        self.asked: list[tuple[str, str]] = []

    def check(self, domain_id: str, client_id: str, until: float | None = None) -> AppGrant | None:
        self.asked.append((domain_id, client_id))
        return self.grant

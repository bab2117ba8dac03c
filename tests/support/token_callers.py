"""What becomes of a token: the caller that it establishes, or why it is refused."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from inventory_job.auth.callers import Caller
from inventory_job.auth.tokens import (
    TokenAuthenticator,
    TokenRules,
)
from inventory_job.errors import Unauthenticated
from tests.support.key_sources import Keys
from tests.support.tokens import Issuer

UNVERIFIED = r"\(message = the token's signature cannot be verified\)"
MALFORMED = r"\(message = the token is not a JSON Web Token\)"


def caller_of(token: str, *issuers: Issuer, **more: str) -> Caller:
    authenticator = TokenAuthenticator(Keys(*issuers), rules=TokenRules(system_domain_id="*"))
    return asyncio.run(authenticator.authenticate([("token", token), *more.items()]))


def refused(token: str, reason: str, *issuers: Issuer) -> None:
    with pytest.raises(Unauthenticated, match=reason) as raised:
        caller_of(token, *issuers)
    assert token[:20] not in raised.value.message or not token


def named(domain: Issuer, kid: Any) -> str:
    """A token in order but for what it calls its key."""
    payload = {"did": "domain-1", "exp": time.time() + 60, "rol": "DOMAIN_ADMIN", **user()}
    return domain.signed({"alg": "RS256", "kid": kid}, payload)


def user() -> dict[str, str]:
    """The claims that any user's token has."""
    return {"typ": "ACCESS_TOKEN", "own": "USER", "ver": "2.0"}

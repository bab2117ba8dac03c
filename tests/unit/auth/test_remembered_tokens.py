"""Verified tokens are remembered for a moment: never beyond their expiry, nor their key."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest

from inventory_job.auth.callers import AuthStats
from inventory_job.auth.keys import parse_key
from inventory_job.auth.tokens import TokenAuthenticator, TokenRules
from inventory_job.errors import Unauthenticated
from tests.support.key_sources import Apps, Keys
from tests.support.tokens import Issuer


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Verifications:
    """An authenticator at a time of the test's, whose verifications differ from memories:
    a token of an app is checked once for each verification."""

    def __init__(self, domain: Issuer, rules: TokenRules | None = None) -> None:
        self.keys = Keys(domain)
        self.apps = Apps(())
        self.now, self.wall = Clock(100.0), Clock(time.time())
        self.authenticator = TokenAuthenticator(
            self.keys, self.apps.check, rules, wall_clock=self.wall, clock=self.now
        )

    def pass_by(self, seconds: float) -> None:
        self.now.now += seconds
        self.wall.now += seconds

    def count(self, *tokens: str) -> int:
        before = len(self.apps.checked)
        for token in tokens:
            asyncio.run(self.authenticator.authenticate([("token", token)]))
        return len(self.apps.checked) - before


def app_token(domain: Issuer, **claims: Any) -> str:
    return domain.token("DOMAIN_ADMIN", own="APP", jti="client-1", **claims)


def test_a_token_is_verified_once_in_a_burst(domain: Issuer) -> None:
    verifications, token = Verifications(domain), app_token(domain)

    assert verifications.count(*[token] * 100) == 1


def test_a_verified_token_is_remembered_for_some_seconds(domain: Issuer) -> None:
    verifications, token = Verifications(domain), app_token(domain)

    assert verifications.count(token) == 1
    verifications.pass_by(4.9)
    assert verifications.count(token) == 0
    verifications.pass_by(0.2)
    assert verifications.count(token) == 1


def test_a_verified_token_is_not_remembered_beyond_its_expiry(domain: Issuer) -> None:
    verifications = Verifications(domain, TokenRules(leeway_seconds=0))
    token = app_token(domain, exp=verifications.wall.now + 2)

    assert verifications.count(token) == 1
    verifications.pass_by(2.1)
    with pytest.raises(Unauthenticated, match="expired"):
        verifications.count(token)


def test_a_verified_token_is_not_remembered_beyond_its_key(
    domain: Issuer, stranger: Issuer
) -> None:
    verifications, token = Verifications(domain), app_token(domain)

    assert verifications.count(token) == 1
    verifications.keys.known["domain-1"] = parse_key(stranger.jwk)
    with pytest.raises(Unauthenticated, match="signature cannot be verified"):
        verifications.count(token)


def test_a_key_read_again_unchanged_leaves_verified_tokens_valid(domain: Issuer) -> None:
    verifications, token = Verifications(domain), app_token(domain)

    assert verifications.count(token) == 1
    verifications.keys.known["domain-1"] = parse_key(domain.jwk)
    assert verifications.count(token) == 0


def test_only_so_many_verified_tokens_are_remembered(domain: Issuer) -> None:
    verifications = Verifications(domain, TokenRules(remembered=2))
    first, second, third = (app_token(domain, aud=name) for name in "abc")

    assert verifications.count(first, second, third) == 3
    assert verifications.count(third, second) == 0
    assert verifications.count(first) == 1


def test_a_refused_token_is_not_remembered_as_good(domain: Issuer, stranger: Issuer) -> None:
    authenticator = TokenAuthenticator(Keys(domain))
    forged = stranger.token("DOMAIN_ADMIN", did="domain-1")

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            asyncio.run(authenticator.authenticate([("token", forged)]))


def test_what_is_remembered_and_what_is_verified_is_counted(domain: Issuer) -> None:
    stats = AuthStats()
    authenticator = TokenAuthenticator(Keys(domain), stats=stats)
    good, bad = domain.token("DOMAIN_ADMIN"), Issuer("domain-1").token("DOMAIN_ADMIN")

    for token in (good, good, good, bad, bad):
        with suppress(Unauthenticated):
            asyncio.run(authenticator.authenticate([("token", token)]))

    assert stats == AuthStats(remembered=2, verified=3)


def test_a_remembered_token_suspends_nothing(domain: Issuer) -> None:
    """It is authenticated in the step of the loop that the call came in."""
    authenticator = TokenAuthenticator(Keys(domain))
    metadata = [("token", domain.token("DOMAIN_ADMIN"))]
    asyncio.run(authenticator.authenticate(metadata))

    with pytest.raises(StopIteration) as ended:
        authenticator.authenticate(metadata).send(None)

    assert ended.value.value.domain_id == "domain-1"


@pytest.mark.parametrize("token", ["", "x" * 10_000, "tökën"])
def test_what_cannot_be_a_token_is_refused(domain: Issuer, token: str) -> None:
    with pytest.raises(Unauthenticated):
        asyncio.run(TokenAuthenticator(Keys(domain)).authenticate([("token", token)]))

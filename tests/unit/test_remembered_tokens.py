"""Verified tokens are remembered for a moment: never beyond their expiry, nor their key."""

from __future__ import annotations

import time
from typing import Any

import pytest

from inventory_job.auth.keys import parse_key
from inventory_job.auth.tokens import AppGrant, TokenAuthenticator, TokenRules
from inventory_job.errors import Unauthenticated
from tests.key_sources import Apps, Keys
from tests.tokens import Issuer


@pytest.fixture(scope="module")
def domain() -> Issuer:
    return Issuer("domain-1")


@pytest.fixture(scope="module")
def stranger() -> Issuer:
    return Issuer("domain-2")


class Clock:
    """Seconds that pass when told."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Verifications:
    """An authenticator at a time of the test's, whose verifications can be told from memories:
    a token of an app is asked about once for each verification."""

    def __init__(self, domain: Issuer, rules: TokenRules | None = None) -> None:
        self.keys = Keys(domain)
        self.apps = Apps(AppGrant((), ()))
        self.now, self.wall = Clock(100.0), Clock(time.time())
        self.authenticator = TokenAuthenticator(self.keys, self.apps, rules, self.wall, self.now)

    def pass_by(self, seconds: float) -> None:
        self.now.now += seconds
        self.wall.now += seconds

    def count(self, *tokens: str) -> int:
        before = len(self.apps.asked)
        for token in tokens:
            self.authenticator.authenticate([("token", token)])
        return len(self.apps.asked) - before


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
            authenticator.authenticate([("token", forged)])


class NotAtHand(Keys):
    """Keys that would have to be looked for."""

    def at_hand(self, domain_id: str, kid: str | None) -> None:
        """None."""


def recalled(checks: Verifications, token: str) -> bool:
    return checks.authenticator.recall([("token", token)]) is not None


def test_a_token_is_recalled_once_it_was_verified_and_nothing_is_asked_for_it(
    domain: Issuer,
) -> None:
    checks = Verifications(domain)
    token = app_token(domain)
    assert not recalled(checks, token)
    assert checks.apps.asked == []
    checks.count(token)
    asked = checks.keys.asked

    assert recalled(checks, token)
    assert checks.keys.asked == asked
    caller = checks.authenticator.recall([("token", token)])
    assert caller == checks.authenticator.authenticate([("token", token)])


def test_a_token_is_not_recalled_when_it_would_not_be_remembered(domain: Issuer) -> None:
    checks = Verifications(domain)
    token = app_token(domain)
    checks.count(token)

    checks.pass_by(5.1)
    assert not recalled(checks, token)

    checks.count(token)
    assert recalled(checks, token)
    checks.keys.known["domain-1"] = parse_key(Issuer("domain-1").jwk)
    assert not recalled(checks, token)
    del checks.keys.known["domain-1"]
    assert not recalled(checks, token)


def test_a_token_is_not_recalled_while_its_key_would_have_to_be_looked_for(
    domain: Issuer,
) -> None:
    authenticator = TokenAuthenticator(NotAtHand(domain))
    token = domain.token("DOMAIN_ADMIN")
    authenticator.authenticate([("token", token)])

    assert authenticator.recall([("token", token)]) is None


@pytest.mark.parametrize("token", ["", "x" * 10_000, "tökën"])
def test_what_cannot_be_a_token_is_refused_at_once(domain: Issuer, token: str) -> None:
    with pytest.raises(Unauthenticated):
        TokenAuthenticator(Keys(domain)).recall([("token", token)])

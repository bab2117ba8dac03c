"""Bad tokens do not show which domains there are, nor do they keep good ones out for long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from inventory_job.auth.keys import parse_key
from inventory_job.auth.lookups import LookupLimits, Lookups
from inventory_job.auth.tokens import TokenAuthenticator
from inventory_job.errors import ServiceError, Unauthenticated, Unavailable
from tests.support.loops import in_loop, settle
from tests.support.tokens import Issuer, encoded

LIMITS = LookupLimits(burst=5, per_second=1.0)
SECONDS = {"a moment": 0.1, "a second": 1.0, "the key runs out": 301.0}
STRANGERS = [f"domain-{number}" for number in range(50)]


@pytest.fixture(scope="module")
def domain() -> Issuer:
    return Issuer("domain-1")


@pytest.fixture(scope="module")
def bad() -> list[str]:
    """Tokens of the domain under another key."""
    thief = Issuer("domain-1")
    return [thief.token("DOMAIN_ADMIN", aud=str(number)) for number in range(3)]


class Service:
    """Authenticates with the keys of a directory, at a time of the test's."""

    def __init__(self, *issuers: Issuer) -> None:
        self.now = 1000.0
        self.keys = {issuer.domain_id: parse_key(issuer.jwk) for issuer in issuers}
        self.lookups: Lookups[str, RSAKey] = Lookups(self.fetch, LIMITS, self.clock)
        self.authenticator = TokenAuthenticator(
            lambda domain_id, _kid, *unfit: self.lookups.find(domain_id, *unfit), clock=self.clock
        )

    def clock(self) -> float:
        return self.now

    async def fetch(self, domain_id: str) -> RSAKey | None:
        return self.keys.get(domain_id)

    async def answer(self, token: str) -> str:
        """The caller's answer, once calls in the background have ended."""
        try:
            return (await self.authenticator.authenticate([("token", token)])).domain_id
        except ServiceError as error:
            return str(error)
        finally:
            await settle(4)

    async def drain(self) -> None:
        """Has strangers use up the look-ups."""
        for domain_id in STRANGERS:
            await self.answer(f"{encoded({'alg': 'RS256'})}.{encoded({'did': domain_id})}.AA")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, "strangers", *SECONDS]), max_size=25))
@in_loop
async def test_known_and_unknown_domains_get_the_same_answers(
    domain: Issuer, bad: list[str], steps: list[int | str]
) -> None:
    known, unknown = Service(domain), Service()
    assert await known.answer(domain.token("DOMAIN_ADMIN")) == "domain-1"
    await unknown.answer(bad[0])

    for step in ["a second", *steps, "strangers", 0]:
        answers = []
        for service in (known, unknown):
            if step == "strangers":
                await service.drain()
            elif isinstance(step, str):
                service.now += SECONDS[step]
            answers.append(await service.answer(bad[step]) if isinstance(step, int) else "")
        assert answers[0] == answers[1]


@in_loop
async def test_a_good_token_is_never_refused_as_bad(domain: Issuer, bad: list[str]) -> None:
    service = Service(domain)
    await service.answer(domain.token("DOMAIN_ADMIN"))
    for token in bad * 3:
        await service.answer(token)
    await service.drain()
    successor = Issuer("domain-1")
    service.keys["domain-1"] = parse_key(successor.jwk)
    good = [("token", successor.token("DOMAIN_ADMIN"))]

    service.now += 0.1
    with pytest.raises(Unavailable):
        await service.authenticator.authenticate(good)
    service.now += 1.0
    for token in bad:
        await service.answer(token)

    assert (await service.authenticator.authenticate(good)).domain_id == "domain-1"


@in_loop
async def test_a_bad_token_is_refused_once_its_domain_was_looked_up(
    domain: Issuer, bad: list[str]
) -> None:
    service = Service(domain)
    await service.answer(domain.token("DOMAIN_ADMIN"))
    more = [Issuer("domain-1").token("DOMAIN_ADMIN", aud=str(n)) for n in range(10)]
    for token in (*bad, *more):
        service.now += 0.001
        await service.answer(token)

    service.now += 1.0

    for token in more:
        with pytest.raises(Unauthenticated):
            await service.authenticator.authenticate([("token", token)])

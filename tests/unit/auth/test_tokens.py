"""Tokens: which caller they establish, and what their keys and apps have to do with it."""

from __future__ import annotations

import asyncio
import math

import pytest
from joserfc.jwk import RSAKey

from inventory_job.auth.callers import Caller
from inventory_job.auth.keys import parse_key
from inventory_job.auth.tokens import (
    TokenAuthenticator,
    TokenRules,
)
from inventory_job.errors import InvalidRequest, Unauthenticated, Unavailable
from tests.support.key_sources import Apps, Keys
from tests.support.token_callers import caller_of, refused
from tests.support.tokens import Issuer


def test_a_users_token_says_who_is_calling(domain: Issuer) -> None:
    token = domain.token(
        "WORKSPACE_OWNER", wid="w", permissions=["inventory:Job"], projects=["p"], user_groups=["g"]
    )

    assert caller_of(token, domain) == Caller(
        "domain-1", "w", "WORKSPACE_OWNER", permissions=("inventory:Job",)
    )


def test_a_clients_secret_is_as_good(domain: Issuer) -> None:
    assert caller_of(domain.token("DOMAIN_ADMIN", typ="CLIENT_SECRET"), domain).role


def test_metadata_do_not_change_a_users_tenant(domain: Issuer) -> None:
    caller = caller_of(domain.token("DOMAIN_ADMIN"), domain, x_domain_id="other")

    assert caller == Caller("domain-1", role="DOMAIN_ADMIN")


@pytest.mark.parametrize("role", ["WORKSPACE_OWNER", "WORKSPACE_MEMBER"])
def test_s8_a_workspaces_token_without_a_workspace_is_refused(domain: Issuer, role: str) -> None:
    refused(domain.token(role), "names no workspace", domain)


def test_a_domain_admin_has_no_workspace(domain: Issuer) -> None:
    assert caller_of(domain.token("DOMAIN_ADMIN", wid="w"), domain).workspace_id == ""


def test_a_system_tokens_tenant_is_named_by_the_call(domain: Issuer) -> None:
    caller = caller_of(domain.system_token(), domain, x_domain_id="d", x_workspace_id="w")

    assert caller == Caller("d", "w", system=True)


def test_a_system_token_without_a_tenant_is_refused_until_it_names_one(domain: Issuer) -> None:
    with pytest.raises(InvalidRequest, match=r"Required parameter\. \(key = domain_id\)"):
        caller_of(domain.system_token(), domain)


def test_a_system_token_alone_may_be_without_an_expiry(domain: Issuer) -> None:
    assert caller_of(domain.system_token(exp=None), domain, x_domain_id="d").system
    refused(domain.token("DOMAIN_ADMIN", exp=None), "has no expiry", domain)


def test_system_tokens_are_taken_from_the_root_domain_alone_unless_configured(
    domain: Issuer,
) -> None:
    root = Issuer("domain-root")
    authenticator = TokenAuthenticator(Keys(domain, root))
    named = ("x_domain_id", "d")

    assert asyncio.run(authenticator.authenticate([("token", root.system_token()), named])).system
    with pytest.raises(Unauthenticated, match="system tokens of this domain"):
        asyncio.run(authenticator.authenticate([("token", domain.system_token()), named]))


def test_system_tokens_of_other_domains_than_the_system_domain_are_refused(
    domain: Issuer, stranger: Issuer
) -> None:
    rules = TokenRules(system_domain_id="domain-1")
    authenticator = TokenAuthenticator(Keys(domain, stranger), rules=rules)
    named = ("x_domain_id", "d")

    assert asyncio.run(authenticator.authenticate([("token", domain.system_token()), named])).system
    with pytest.raises(Unauthenticated, match="system tokens of this domain"):
        asyncio.run(authenticator.authenticate([("token", stranger.system_token()), named]))
    assert asyncio.run(authenticator.authenticate([("token", stranger.token("DOMAIN_ADMIN"))])).role


def test_without_a_token_no_caller_is_authenticated(domain: Issuer) -> None:
    for metadata in ([], [("token", "")], [("x_domain_id", "domain-1")]):
        with pytest.raises(Unauthenticated, match="a token is required"):
            asyncio.run(TokenAuthenticator(Keys(domain)).authenticate(metadata))


def test_an_apps_permissions_are_those_that_the_identity_service_has(domain: Issuer) -> None:
    apps = Apps(("inventory:Job.read",))
    token = domain.token("DOMAIN_ADMIN", own="APP", jti="client-1", permissions=["inventory"])

    caller = asyncio.run(
        TokenAuthenticator(Keys(domain), apps.check).authenticate([("token", token)])
    )

    assert caller.permissions == ("inventory:Job.read",)
    assert apps.checked == [("domain-1", "client-1")]


def test_an_app_that_the_identity_service_does_not_know_is_refused(domain: Issuer) -> None:
    token = domain.token("DOMAIN_ADMIN", own="APP", jti="client-1")

    with pytest.raises(Unauthenticated, match="the app is not known"):
        asyncio.run(
            TokenAuthenticator(Keys(domain), Apps(None).check).authenticate([("token", token)])
        )


def test_apps_are_not_asked_about_for_users_nor_before_the_signature(
    domain: Issuer, stranger: Issuer
) -> None:
    apps = Apps(None)
    authenticator = TokenAuthenticator(Keys(domain), apps.check)
    forged = stranger.token("DOMAIN_ADMIN", did="domain-1", own="APP", jti="client-1")

    asyncio.run(authenticator.authenticate([("token", domain.token("DOMAIN_ADMIN"))]))
    with pytest.raises(Unauthenticated):
        asyncio.run(authenticator.authenticate([("token", forged)]))

    assert apps.checked == []


def test_without_its_key_source_a_token_is_neither_good_nor_bad(domain: Issuer) -> None:
    class Down(Keys):
        async def __call__(
            self,
            domain_id: str,
            kid: str | None,
            since: float = -math.inf,
            unfit: RSAKey | None = None,
        ) -> RSAKey | None:
            raise Unavailable("the identity service cannot be reached")

    with pytest.raises(Unavailable):
        asyncio.run(
            TokenAuthenticator(Down()).authenticate([("token", domain.token("DOMAIN_ADMIN"))])
        )


class Scripted(Keys):
    """Has the keys of a script, one after the other; None: Unavailable."""

    def __init__(self, issuer: Issuer, *script: Issuer | None) -> None:
        super().__init__(issuer)
        self.script = [each if each is None else parse_key(each.jwk) for each in script]
        self.since: list[float] = []

    async def __call__(
        self, domain_id: str, kid: str | None, since: float = -math.inf, unfit: RSAKey | None = None
    ) -> RSAKey | None:
        if unfit is None:
            return await super().__call__(domain_id, kid)
        self.since.append(since)
        key = self.script.pop(0)
        if key is None:
            raise Unavailable("too many look-ups at the identity service")
        return key


def test_every_newer_key_is_tried_until_there_is_none(domain: Issuer, stranger: Issuer) -> None:
    token = Issuer("domain-3")
    keys = Scripted(domain, stranger, token)

    caller = asyncio.run(
        TokenAuthenticator(keys).authenticate(
            [("token", token.token("DOMAIN_ADMIN", did="domain-1"))]
        )
    )

    assert caller.domain_id == "domain-1"


def test_a_token_that_could_not_be_verified_is_settled_by_a_later_answer(
    domain: Issuer, stranger: Issuer
) -> None:
    """It was there before that answer was asked for, whenever it is shown again."""
    keys = Scripted(domain, None, None, domain, None)
    authenticator = TokenAuthenticator(keys)
    bad = [("token", stranger.token("DOMAIN_ADMIN", did="domain-1"))]

    for expected in (Unavailable, Unavailable, Unauthenticated, Unavailable):
        with pytest.raises(expected):
            asyncio.run(authenticator.authenticate(bad))

    first, second, third, after = keys.since
    assert first == second == third < after

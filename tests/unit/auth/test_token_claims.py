"""Claims of signed tokens that are out of order, and how exact their times are."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from inventory_job.auth.keys import parse_key
from inventory_job.auth.tokens import (
    TokenAuthenticator,
    TokenRules,
)
from inventory_job.errors import Unauthenticated
from tests.support.key_sources import Keys
from tests.support.token_callers import caller_of, user
from tests.support.tokens import Issuer


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"did": None}, "names no domain"),
        ({"did": ""}, "names no domain"),
        ({"did": 7}, "did is not an identifier"),
        ({"did": "d" * 129}, "did is not an identifier"),
        ({"did": "d\n"}, "did is not an identifier"),
        ({"did": "\ud800"}, "did is not an identifier"),
        ({"exp": None}, "has no expiry"),
        ({"exp": "tomorrow"}, "exp is not a time"),
        ({"exp": True}, "exp is not a time"),
        ({"exp": float("nan")}, "exp is not a time"),
        ({"exp": float("inf")}, "exp is not a time"),
        ({"exp": 10**400}, "exp is not a time"),
        ({"exp": time.time() - 11}, "has expired"),
        ({"exp": 0}, "has expired"),
        ({"exp": -1}, "has expired"),
        ({"nbf": time.time() + 3000}, "not valid yet"),
        ({"nbf": "now"}, "nbf is not a time"),
        ({"iat": time.time() + 3000}, "not valid yet"),
        ({"iat": []}, "iat is not a time"),
        ({"typ": None}, "type"),
        ({"typ": "REFRESH_TOKEN"}, "type"),
        ({"typ": "ACCESS_TOKEN "}, "type"),
        ({"typ": ["ACCESS_TOKEN"]}, "type"),
        ({"typ": "SYSTEM_TOKEN"}, "do not fit together"),
        ({"own": None}, "owner"),
        ({"own": "user"}, "owner"),
        ({"own": {}}, "owner"),
        ({"own": "SYSTEM"}, "do not fit together"),
        ({"own": "APP"}, "client id"),
        ({"own": "APP", "jti": 1}, "jti is not an identifier"),
        ({"ver": None}, "version"),
        ({"ver": "1.0"}, "version"),
        ({"ver": 2.0}, "version"),
        ({"rol": ["DOMAIN_ADMIN"]}, "role"),
        ({"rol": "WORKSPACE_OWNER"}, "names no workspace"),
        ({"rol": "WORKSPACE_MEMBER"}, "names no workspace"),
        ({"rol": "WORKSPACE_OWNER", "wid": ""}, "names no workspace"),
        ({"rol": "WORKSPACE_OWNER", "wid": "*"}, "names no workspace"),
        ({"rol": "WORKSPACE_OWNER", "wid": ["w"]}, "wid is not an identifier"),
        ({"rol": "WORKSPACE_OWNER", "wid": {"$ne": ""}}, "wid is not an identifier"),
        ({"permissions": "inventory"}, "permissions is not a list of texts"),
        ({"permissions": [1]}, "permissions is not a list of texts"),
        ({"permissions": {}}, "permissions is not a list of texts"),
        ({"injected_params": []}, "injected_params is not a dictionary"),
        ({"injected_params": {"workspace_id": ""}}, "injected_params is empty"),
        ({"injected_params": {"workspace_id": None}}, "injected_params is empty"),
        ({"injected_params": {"job_id": {"$ne": 1}}}, "job_id is not an identifier"),
    ],
    ids=lambda value: re.sub(r"\d{9}[.\d]*", "time", ascii(value))[:40],
)
def test_a_claim_out_of_order_is_refused_with_the_reason(
    domain: Issuer, claims: dict[str, Any], reason: str
) -> None:
    issuer_known_by = {**Keys(domain).known, "": parse_key(domain.jwk)}
    keys = Keys()
    keys.known = issuer_known_by
    token = domain.sign({"rol": "DOMAIN_ADMIN", **user(), **claims})

    with pytest.raises(Unauthenticated, match=reason):
        asyncio.run(TokenAuthenticator(keys).authenticate([("token", token)]))


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -5), ("nbf", 5), ("iat", 5)])
def test_the_tokens_times_may_be_off_by_the_leeway(
    domain: Issuer, claim: str, seconds: int
) -> None:
    token = domain.token("DOMAIN_ADMIN", **{claim: time.time() + seconds})
    strict = TokenAuthenticator(Keys(domain), rules=TokenRules(leeway_seconds=0))

    assert caller_of(token, domain).domain_id == "domain-1"
    with pytest.raises(Unauthenticated):
        asyncio.run(strict.authenticate([("token", token)]))


def test_prescribed_parameters_of_other_services_are_passed_over(domain: Issuer) -> None:
    token = domain.token("DOMAIN_ADMIN", injected_params={"status": "FAILURE", "user_id": ["u"]})

    assert caller_of(token, domain).injected_params == {"status": "FAILURE"}

"""Tokens: which establish a caller, and why the others do not."""

from __future__ import annotations

import asyncio
import re
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from inventory_job.auth.callers import Caller
from inventory_job.auth.keys import KeyFile, VerificationKey, parse_key
from inventory_job.auth.tokens import (
    MOST_TOKEN_BYTES,
    TokenAuthenticator,
    TokenRules,
)
from inventory_job.errors import InvalidRequest, Unauthenticated, Unavailable
from tests.support.key_sources import Apps, Keys
from tests.support.tokens import Issuer, encoded, key_file_text, with_header

UNVERIFIED = r"\(message = the token's signature cannot be verified\)"
MALFORMED = r"\(message = the token is not a JSON Web Token\)"


@pytest.fixture(scope="module")
def domain() -> Issuer:
    return Issuer("domain-1")


@pytest.fixture(scope="module")
def stranger() -> Issuer:
    return Issuer("domain-2")


def caller_of(token: str, *issuers: Issuer, **more: str) -> Caller:
    authenticator = TokenAuthenticator(Keys(*issuers), rules=TokenRules(system_domain_id="*"))
    return asyncio.run(authenticator.authenticate([("token", token), *more.items()]))


def refused(token: str, reason: str, *issuers: Issuer) -> None:
    with pytest.raises(Unauthenticated, match=reason) as raised:
        caller_of(token, *issuers)
    assert token[:20] not in raised.value.message or not token


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


NESTED = b"[" * 5000


@pytest.mark.parametrize(
    "token",
    [
        "garbage",
        "a.b",
        "a.b.c.d",
        "..",
        "Bearer x.y.z",
        "ä.ö.ü",
        f"{encoded(b'no json')}.{encoded({})}.AA",
        f"{encoded({'alg': 'RS256'})}.{encoded(b'[]')}.AA",
        f"{encoded({'alg': 'RS256'})}.{encoded(NESTED)}.AA",
        f"{encoded(NESTED)}.{encoded({})}.AA",
        f"{encoded({'alg': 'RS256'})}.{encoded(bytes([0xFF]))}.AA",
        f"{encoded({'alg': 'RS256'})}.{encoded(b'1' * 5000)}.AA",
        f"{encoded({'alg': 'RS256'})}.A.AA",
        f" {encoded({'alg': 'RS256'})}.{encoded({})}.AA\n",
    ],
    ids=range(14),
)
def test_what_is_no_token_is_refused(domain: Issuer, token: str) -> None:
    refused(token, MALFORMED, domain)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "RS384", "PS256", "rs256", "", None, 1, ["RS256"]]
)
def test_another_algorithm_is_refused_whatever_the_token_says(
    domain: Issuer, algorithm: Any
) -> None:
    token = with_header(domain.token("DOMAIN_ADMIN"), {"alg": algorithm})

    refused(token, "the token's algorithm is not RS256", domain)


@pytest.mark.parametrize("more", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}])
def test_a_token_that_asks_for_extensions_is_refused(domain: Issuer, more: dict[str, Any]) -> None:
    payload = {"did": "domain-1", "exp": time.time() + 60, "rol": "DOMAIN_ADMIN", **_user()}

    refused(domain.signed({"alg": "RS256"} | more, payload), "extensions", domain)
    assert caller_of(domain.signed({"alg": "RS256"}, payload), domain).role == "DOMAIN_ADMIN"


def named(domain: Issuer, kid: Any) -> str:
    """A token in order but for what it calls its key."""
    payload = {"did": "domain-1", "exp": time.time() + 60, "rol": "DOMAIN_ADMIN", **_user()}
    return domain.signed({"alg": "RS256", "kid": kid}, payload)


@pytest.mark.parametrize(
    "kid",
    [
        "",
        "k" * 129,
        "../keys.json",
        "/etc/passwd",
        "k\0",
        "k'--",
        "a b",
        "ключ",
        7,
        ["k"],
        {"k": 1},
    ],
    ids=range(11),
)
def test_a_kid_that_is_no_identifier_is_refused(domain: Issuer, kid: Any) -> None:
    refused(named(domain, kid), "key id", domain)


def test_the_longest_token_is_looked_at_and_a_longer_one_is_not(domain: Issuer) -> None:
    signature = "A" * (MOST_TOKEN_BYTES - 4)

    refused(f"A.A.{signature}", MALFORMED, domain)
    refused(f"A.A.{signature}A", "longer than 8192 bytes", domain)


def test_an_unknown_domain_and_a_wrong_signature_are_the_same_failure(
    domain: Issuer, stranger: Issuer
) -> None:
    forged = stranger.token("DOMAIN_ADMIN", did="domain-1")
    token, other = domain.token("DOMAIN_ADMIN"), domain.token("WORKSPACE_OWNER", wid="w")
    swapped = ".".join([*token.split(".")[:2], other.split(".")[2]])

    refused(stranger.token("DOMAIN_ADMIN"), UNVERIFIED, domain)
    refused(forged, UNVERIFIED, domain)
    refused(swapped, UNVERIFIED, domain)
    refused(token[:-4], UNVERIFIED, domain)


@pytest.mark.parametrize("octets", [256, 257, 384, 768])
def test_a_wrong_signature_costs_the_same_whatever_key_there_is_and_whether_there_is_one(
    domain: Issuer, monkeypatch: pytest.MonkeyPatch, octets: int
) -> None:
    """What takes the time is one computation with a key of the signature's length."""
    longer = Issuer("domain-3072", 3072)
    authenticator = TokenAuthenticator(Keys(domain, longer))
    costs: dict[str, list[int]] = {}
    deserialize = jws.deserialize_compact

    def computed(token: str, material: RSAKey, **more: Any) -> Any:
        modulus = int.from_bytes(urlsafe_b64decode(f"{material.as_dict()['n']}=="))
        assert int.from_bytes(signature) < modulus
        costs[name].append((modulus.bit_length() + 7) // 8)
        return deserialize(token, material, **more)

    monkeypatch.setattr(jws, "deserialize_compact", computed)
    for first in (b"\x01", b"\xff\xfe"):
        signature = first + bytes(octets - len(first))
        for name in ("domain-1", "domain-3072", "domain-unknown"):
            costs[name] = []
            token = f"{encoded({'alg': 'RS256'})}.{encoded({'did': name})}.{encoded(signature)}"
            with pytest.raises(Unauthenticated, match=UNVERIFIED):
                asyncio.run(authenticator.authenticate([("token", token)]))

        assert list(costs.values()) == [[octets]] * 3


@pytest.mark.parametrize("signature", [b"", b"A", bytes(255), b"\xff" * 256, bytes(769)])
def test_what_cannot_be_a_signature_is_a_wrong_one(domain: Issuer, signature: bytes) -> None:
    content = f"{encoded({'alg': 'RS256'})}.{encoded({'did': 'domain-1'})}"

    for end in (encoded(signature) or "A", "AAAAA"):
        refused(f"{content}.{end}", UNVERIFIED, domain)


@pytest.mark.parametrize("bits", [2048, 2052, 6144])
def test_keys_of_any_length_that_is_taken_verify_tokens(bits: int) -> None:
    issuer = Issuer("domain-1", bits)

    assert caller_of(issuer.token("DOMAIN_ADMIN"), issuer).domain_id == "domain-1"


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
    token = domain.sign({"rol": "DOMAIN_ADMIN", **_user(), **claims})

    with pytest.raises(Unauthenticated, match=reason):
        asyncio.run(TokenAuthenticator(keys).authenticate([("token", token)]))


def _user() -> dict[str, str]:
    return {"typ": "ACCESS_TOKEN", "own": "USER", "ver": "2.0"}


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
        async def find(self, domain_id: str, kid: str | None) -> VerificationKey | None:
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

    async def find_newer(
        self, domain_id: str, kid: str | None, since: float, unfit: VerificationKey | None
    ) -> VerificationKey | None:
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


@pytest.mark.parametrize("kid", ["domain-2", "keys.json", "k" * 128, "Zm9v/YmFy+QQ=="])
def test_a_kid_chooses_nothing_where_keys_are_by_domain(
    domain: Issuer, stranger: Issuer, tmp_path: Path, kid: str
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(key_file_text(domain, stranger))
    authenticator = TokenAuthenticator(KeyFile(file))
    forged = stranger.signed(
        {"alg": "RS256", "kid": kid},
        {"did": "domain-1", "exp": time.time() + 60, "rol": "DOMAIN_ADMIN", **_user()},
    )

    assert (
        asyncio.run(authenticator.authenticate([("token", named(domain, kid))])).domain_id
        == "domain-1"
    )
    with pytest.raises(Unauthenticated, match=UNVERIFIED):
        asyncio.run(authenticator.authenticate([("token", forged)]))

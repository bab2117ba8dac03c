"""What is no token, or none that its domain has signed."""

from __future__ import annotations

import asyncio
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from inventory_job.auth.keys import KeyFile
from inventory_job.auth.tokens import (
    MOST_TOKEN_BYTES,
    TokenAuthenticator,
)
from inventory_job.errors import Unauthenticated
from tests.support.key_sources import Keys
from tests.support.token_callers import MALFORMED, UNVERIFIED, caller_of, named, refused, user
from tests.support.tokens import Issuer, encoded, key_file_text, with_header

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
    payload = {"did": "domain-1", "exp": time.time() + 60, "rol": "DOMAIN_ADMIN", **user()}

    refused(domain.signed({"alg": "RS256"} | more, payload), "extensions", domain)
    assert caller_of(domain.signed({"alg": "RS256"}, payload), domain).role == "DOMAIN_ADMIN"


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


@pytest.mark.parametrize("kid", ["domain-2", "keys.json", "k" * 128, "Zm9v/YmFy+QQ=="])
def test_a_kid_chooses_nothing_where_keys_are_by_domain(
    domain: Issuer, stranger: Issuer, tmp_path: Path, kid: str
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(key_file_text(domain, stranger))
    authenticator = TokenAuthenticator(KeyFile(file))
    forged = stranger.signed(
        {"alg": "RS256", "kid": kid},
        {"did": "domain-1", "exp": time.time() + 60, "rol": "DOMAIN_ADMIN", **user()},
    )

    assert (
        asyncio.run(authenticator.authenticate([("token", named(domain, kid))])).domain_id
        == "domain-1"
    )
    with pytest.raises(Unauthenticated, match=UNVERIFIED):
        asyncio.run(authenticator.authenticate([("token", forged)]))

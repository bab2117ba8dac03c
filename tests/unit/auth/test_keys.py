"""Keys: which are accepted, and where they come from."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from joserfc.jwk import RSAKey
from structlog.testing import capture_logs

from inventory_job.auth.keys import InvalidKey, KeyFile, parse_key, parse_keys
from tests.support.tokens import Issuer, encoded, key_file_text


@pytest.fixture(scope="module")
def first() -> Issuer:
    return Issuer("domain-1")


@pytest.fixture(scope="module")
def second() -> Issuer:
    return Issuer("domain-2")


def test_a_key_is_read_from_a_jwk_and_from_its_text(first: Issuer) -> None:
    assert parse_key(first.jwk) == parse_key(json.dumps(first.jwk))


def test_a_key_is_the_same_whatever_it_is_called(first: Issuer, second: Issuer) -> None:
    assert parse_key(first.jwk | {"kid": "a"}) == parse_key(first.jwk | {"kid": "b"})
    assert parse_key(first.jwk) != parse_key(second.jwk)


def test_a_key_does_not_show_in_its_representation(first: Issuer) -> None:
    assert first.jwk["n"][:20] not in repr(parse_key(first.jwk))


def short_key() -> dict[str, str]:
    numbers = generate_private_key(65537, 1024).public_key().public_numbers()
    return {"kty": "RSA", "n": encoded(numbers.n.to_bytes(128)), "e": "AQAB"}


def key_of(bits: int) -> dict[str, str]:
    """A key whose private part does not exist."""
    modulus = 2 ** (bits - 1) + 1
    return {"kty": "RSA", "n": encoded(modulus.to_bytes((bits + 7) // 8)), "e": "AQAB"}


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        (short_key(), "1024 bits"),
        (key_of(2047), "2047 bits, not 2048 to 6144"),
        (key_of(6145), "6145 bits, not 2048 to 6144"),
        (key_of(8192), "8192 bits, not 2048 to 6144"),
        (RSAKey.generate_key(2048).as_dict(private=True), "private key"),
        ({"kty": "oct", "k": "AAAA"}, "not an RSA key"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "not an RSA key"),
        ({}, "not an RSA key"),
        ({"kty": "RSA"}, "not an RSA key"),
        ({"kty": "RSA", "n": 7, "e": []}, "not an RSA key"),
        ({"kty": "RSA", "n": "ä", "e": "AQAB"}, "not an RSA key"),
        ([], "not an RSA key"),
        (None, "not an RSA key"),
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "a number that is too long"),
        ('{"kty": "RSA", "kty": "oct"}', "kty is there more than once"),
        ({"kty": "RSA", "n": "A", "e": "AQAB"}, "not an RSA key"),
        ({"kty": "RSA", "n": "AA AA", "e": "AQAB"}, "not an RSA key"),
    ],
    ids=range(19),
)
def test_a_key_that_is_no_public_rsa_key_of_2048_to_6144_bits_is_refused(
    jwk: object, reason: str
) -> None:
    with pytest.raises(InvalidKey, match=reason):
        parse_key(jwk)


@pytest.mark.parametrize(
    "more",
    [
        {"use": "enc"},
        {"alg": "RS512"},
        {"alg": "RSA-OAEP"},
        {"key_ops": []},
        {"key_ops": ["encrypt", "sign"]},
        {"key_ops": "verify"},
    ],
    ids=str,
)
def test_a_key_for_something_else_is_refused(first: Issuer, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidKey, match="not for signatures with RS256"):
        parse_key(first.jwk | more)


def test_a_key_to_verify_with_is_taken(first: Issuer) -> None:
    assert parse_key(first.jwk | {"key_ops": ["verify"]}) == parse_key(first.jwk)


@pytest.mark.parametrize("exponent", [0, 1, 2, 4, 65536, 2**32 + 1, 2**2000 + 1], ids=range(7))
def test_an_exponent_that_is_tiny_even_or_huge_is_refused(first: Issuer, exponent: int) -> None:
    octets = exponent.to_bytes(max(1, (exponent.bit_length() + 7) // 8))

    with pytest.raises(InvalidKey, match="exponent"):
        parse_key(first.jwk | {"e": encoded(octets)})


@pytest.mark.parametrize("exponent", [3, 65537])
def test_the_exponents_in_use_are_taken(first: Issuer, exponent: int) -> None:
    encoded_exponent = encoded(exponent.to_bytes(3))

    assert parse_key(first.jwk | {"e": encoded_exponent}).get("e") == encoded_exponent


def test_an_even_modulus_is_refused() -> None:
    even = encoded(bytes([0x80]) + bytes(255))

    with pytest.raises(InvalidKey, match="modulus"):
        parse_key({"kty": "RSA", "n": even, "e": "AQAB"})


def test_keys_by_domain_are_found_by_domain_alone(first: Issuer, second: Issuer) -> None:
    keys = parse_keys(key_file_text(first, second))

    assert keys.find("domain-1", None) == parse_key(first.jwk)
    assert keys.find("domain-2", "domain-1") == parse_key(second.jwk)
    assert keys.find("domain-3", "domain-1") is None


def test_the_keys_of_a_jwks_are_found_by_kid_alone(first: Issuer, second: Issuer) -> None:
    jwks = [first.jwk | {"kid": "k1"}, second.jwk | {"kid": "k2"}]
    keys = parse_keys(json.dumps({"keys": jwks}))

    assert keys.find("any", "k2") == parse_key(second.jwk)
    assert keys.find("any", None) is None
    assert keys.find("k1", "k3") is None


def test_the_only_key_of_a_jwks_needs_no_kid_in_the_token(first: Issuer) -> None:
    keys = parse_keys(json.dumps({"keys": [first.jwk | {"kid": "k1"}]}))

    assert keys.find("any", None) == parse_key(first.jwk)
    assert keys.find("any", "other") is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", '"x"', '{"domain-1": {}}', '{"keys": [{}]}', '{"keys": [7]}'],
)
def test_a_file_that_is_neither_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        parse_keys(text)


def test_a_domain_that_is_there_twice_is_refused(first: Issuer, second: Issuer) -> None:
    text = f'{{"d": {json.dumps(first.jwk)}, "d": {json.dumps(second.jwk)}}}'

    with pytest.raises(InvalidKey, match="d is there more than once"):
        parse_keys(text)


def test_a_jwks_with_the_key_of_a_domain_is_refused(first: Issuer, second: Issuer) -> None:
    mixed = {"keys": [first.jwk | {"kid": "k"}], "domain-2": second.jwk}

    with pytest.raises(InvalidKey, match="a JWKS and has the key of a domain, domain-2"):
        parse_keys(json.dumps(mixed))


def test_other_members_of_a_jwks_are_passed_over(first: Issuer) -> None:
    keys = parse_keys(json.dumps({"keys": [first.jwk | {"kid": "k"}], "issued": 7}))

    assert keys.find("any", "k") == parse_key(first.jwk)


def test_an_empty_domain_id_is_refused(first: Issuer) -> None:
    with pytest.raises(InvalidKey, match="a domain id is empty"):
        parse_keys(json.dumps({"": first.jwk}))


ENCRYPTION = {"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "e"}
ELLIPTIC = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}


def test_keys_of_a_jwks_for_something_else_are_passed_over(first: Issuer) -> None:
    signing = first.jwk | {"kid": "s"}
    keys = parse_keys(json.dumps({"keys": [ELLIPTIC, signing, first.jwk | ENCRYPTION]}))

    assert keys.find("any", "s") == parse_key(first.jwk)
    assert keys.find("any", "e") is None


def test_a_jwks_without_any_key_for_signatures_is_refused(first: Issuer) -> None:
    jwks = {"keys": [ELLIPTIC, first.jwk | ENCRYPTION]}

    with pytest.raises(InvalidKey, match="no key of the JWKS is for signatures with RS256"):
        parse_keys(json.dumps(jwks))


def test_a_broken_key_of_a_jwks_is_refused_with_its_place(first: Issuer) -> None:
    jwks = {"keys": [first.jwk | {"kid": "a"}, short_key() | {"kid": "b"}]}

    with pytest.raises(InvalidKey, match="key 1 of the JWKS: the key has 1024 bits"):
        parse_keys(json.dumps(jwks))


def test_a_domains_key_for_something_else_is_refused(first: Issuer) -> None:
    with pytest.raises(InvalidKey, match="domain-1: the key is not for signatures"):
        parse_keys(json.dumps({"domain-1": first.jwk | ENCRYPTION}))


@pytest.mark.parametrize("kid", ["k" * 129, "../k", "a b"], ids=["long", "path", "space"])
def test_a_kid_that_no_token_may_name_is_refused(first: Issuer, kid: str) -> None:
    with pytest.raises(InvalidKey, match="key 0 of the JWKS has a kid that is not 1 to 128"):
        parse_keys(json.dumps({"keys": [first.jwk | {"kid": kid}]}))


def test_two_keys_of_one_kid_are_refused(first: Issuer, second: Issuer) -> None:
    jwks = [first.jwk | {"kid": "k"}, second.jwk | {"kid": "k"}]

    with pytest.raises(InvalidKey, match="key 1 of the JWKS has no kid of its own"):
        parse_keys(json.dumps({"keys": jwks}))


class File:
    """A key file with its source."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.path.write_text(text)
        self.source = KeyFile(path)

    def replace(self, text: str) -> None:
        """Puts another file in its place, as a mounted secret is updated."""
        draft = self.path.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.path)

    def found(self) -> RSAKey | None:
        return asyncio.run(self.source("domain-1", None))


@pytest.fixture
def file(tmp_path: Path, first: Issuer) -> File:
    return File(tmp_path / "keys.json", key_file_text(first))


def test_a_changed_file_is_read_again_at_once(file: File, first: Issuer, second: Issuer) -> None:
    assert file.found() == parse_key(first.jwk)

    file.replace(json.dumps({"domain-1": second.jwk}))

    assert file.found() == parse_key(second.jwk)


@pytest.mark.parametrize("text", ["", "{", '{"domain-1": {"kty": "RSA"}}'])
def test_a_file_changed_for_the_worse_leaves_the_keys_and_is_logged_once(
    file: File, first: Issuer, text: str
) -> None:
    file.replace(text)

    with capture_logs() as logs:
        for _ in range(3):
            assert file.found() == parse_key(first.jwk)

    assert [entry["log_level"] for entry in logs] == ["error"]


def test_a_file_that_is_gone_leaves_the_keys_until_it_is_back(
    file: File, first: Issuer, second: Issuer
) -> None:
    file.path.unlink()
    assert file.found() == parse_key(first.jwk)

    file.replace(json.dumps({"domain-1": second.jwk}))

    assert file.found() == parse_key(second.jwk)


def test_a_domain_taken_out_of_the_file_has_no_key_any_more(file: File, second: Issuer) -> None:
    file.replace(key_file_text(second))

    assert file.found() is None


@pytest.mark.parametrize("text", ["{}", '{"keys": []}'])
def test_the_last_key_can_be_taken_out_of_the_file(file: File, text: str) -> None:
    file.replace(text)

    assert file.found() is None


@pytest.mark.parametrize("content", [None, b"{", b"\xff", b"{}", b'{"keys": []}'])
def test_the_first_reading_fails_with_the_files_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InvalidKey, match=r"keys\.json"):
        KeyFile(path)

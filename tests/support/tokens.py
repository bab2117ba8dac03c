"""Tokens of domains that the tests own, in order and out of it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

USER = {"typ": "ACCESS_TOKEN", "own": "USER", "ver": "2.0", "iss": "tests", "aud": "user-1"}
SYSTEM = {"typ": "SYSTEM_TOKEN", "own": "SYSTEM", "iss": "tests"}


class Issuer:
    """A domain with a key pair of its own, of so many `bits`."""

    def __init__(self, domain_id: str, bits: int = 2048) -> None:
        self.domain_id = domain_id
        self._bits = bits
        self.rotate()

    def token(self, role: str | None = None, **claims: Any) -> str:
        """A user's token, good for an hour; `claims` are set over its own, and None leaves one
        out."""
        return self.sign(USER | {"rol": role} | claims)

    def system_token(self, **claims: Any) -> str:
        """A system token."""
        return self.sign(SYSTEM | claims)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with `claims` (None: not there), this domain's, issued now."""
        now = int(time.time())
        merged = {"did": self.domain_id, "iat": now, "exp": now + 3600, **claims}
        given = {name: value for name, value in merged.items() if value is not None}
        return self.signed({"alg": "RS256", "typ": "JWT"}, given)

    def signed(self, header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
        """A token of these parts, signed with this domain's key whatever the header says."""
        content = f"{encoded(header)}.{encoded(payload)}"
        signature = self._key.sign(content.encode(), PKCS1v15(), SHA256())
        return f"{content}.{encoded(signature)}"

    def rotate(self) -> None:
        """Takes a new key pair."""
        self._key = generate_private_key(65537, self._bits)
        modulus = self._key.public_key().public_numbers().n
        octets = modulus.to_bytes((self._bits + 7) // 8)
        self.jwk = {"kty": "RSA", "alg": "RS256", "n": encoded(octets), "e": "AQAB"}


def encoded(part: Mapping[str, Any] | bytes) -> str:
    """One part of a token: JSON (or bytes as they are) in base64url without padding."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def with_header(token: str, header: Mapping[str, Any]) -> str:
    """`token` under another header, its signature as it was."""
    _, payload, signature = token.split(".")
    return f"{encoded(header)}.{payload}.{signature}"


def key_file_text(*issuers: Issuer) -> str:
    """The file of the issuers' public keys, by domain."""
    return json.dumps({issuer.domain_id: issuer.jwk for issuer in issuers})

"""Authentication by tokens (JWTs): verifies the signature and maps the claims to a caller.

What is read before the signature is verified only serves to choose the key. A refused token raises
Unauthenticated, with a reason that quotes nothing from it; a missing key and a wrong signature give
the same reason and take the same time. If the known key does not verify a token, and a newer key
cannot be looked up now, the token is not refused: Unavailable is raised, and the client can retry.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from inventory_job.auth.callers import AuthStats, Caller, read_metadata, trusted_caller
from inventory_job.auth.claims import ANY_DOMAIN, check_claims, domain_of
from inventory_job.auth.keys import (
    ALGORITHM,
    KID,
    LEAST_KEY_BITS,
    MOST_KEY_BITS,
    KeySource,
    octets_of,
    parse_key,
)
from inventory_job.auth.rate_limits import BoundedDict
from inventory_job.errors import Unauthenticated, Unavailable

MOST_TOKEN_BYTES = 8192
"""The size of the longest token accepted."""

_PART = "[A-Za-z0-9_-]+"
_SHAPE = re.compile(rf"({_PART})\.({_PART})\.({_PART})")
_MALFORMED = "the token is not a JSON Web Token"
_UNVERIFIED = "the token's signature cannot be verified"


AppCheck = Callable[[tuple[str, str]], Awaitable[tuple[str, ...] | None]]
"""The permissions of an app, given as (domain_id, client_id); None if it is unknown or disabled.
Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Which tokens are accepted, and how many are cached (`remembered`).

    A verified token is cached for `remember_seconds`, at most until it expires or its key changes.
    System tokens are accepted from `system_domain_id` only, which may be ANY_DOMAIN.
    """

    leeway_seconds: float = 10.0
    system_domain_id: str = "domain-root"
    remember_seconds: float = 5.0
    remembered: int = 4096


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token accepted `until` (monotonic seconds), or until it `expires` (since the epoch)."""

    caller: Caller
    kid: str | None
    key: RSAKey
    until: float
    expires: float


class TokenAuthenticator:
    """Modes jwt and identity: the token in the metadata identifies the caller.

    `check_app`, if given, returns permissions of apps, which replace those in tokens. `stats` is
    updated. `wall_clock` returns seconds since the epoch; `clock`, monotonic, is that of `keys`.
    """

    def __init__(  # noqa: PLR0913  the clocks are for tests
        self,
        keys: KeySource,
        check_app: AppCheck | None = None,
        rules: TokenRules | None = None,
        stats: AuthStats | None = None,
        *,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._check_app = check_app
        self._rules = rules or TokenRules()
        self._stats = stats or AuthStats()
        self._wall_clock = wall_clock
        self._clock = clock
        self._remembered: BoundedDict[bytes, _Verified] = BoundedDict(self._rules.remembered)
        self._first_seen: BoundedDict[bytes, float] = BoundedDict(self._rules.remembered)

    async def authenticate(self, metadata: Iterable[tuple[str, str]]) -> Caller:
        token, domain_id, workspace_id = read_metadata(metadata)
        digest = _digest_of(token)
        verified = self._remembered.get(digest)
        if verified is not None and await self._still_holds(verified):
            self._stats.remembered += 1
        else:
            self._stats.verified += 1
            verified = self._remembered[digest] = await self._verify(token, digest)
        caller = verified.caller
        if not caller.system:
            return caller
        return trusted_caller(domain_id, workspace_id, caller.injected_params)

    async def _still_holds(self, verified: _Verified) -> bool:
        if self._clock() >= verified.until or self._wall_clock() >= verified.expires:
            return False
        return await self._keys(verified.caller.domain_id, verified.kid) == verified.key

    async def _verify(self, token: str, digest: bytes) -> _Verified:
        began = self._clock()
        payload, kid = _unverified(token)
        domain_id = domain_of(payload)
        # Any key fetched since the token was first seen decides whether the token is valid.
        since = self._first_seen.get(digest, began)
        try:
            key = await self._verifying_key(token, domain_id, kid, since)
        except Unavailable:
            self._first_seen[digest] = since
            raise
        if key is None:
            self._first_seen.pop(digest, None)
            raise Unauthenticated(_UNVERIFIED)
        now, leeway = self._wall_clock(), self._rules.leeway_seconds
        caller, expires, client_id = check_claims(payload, now, leeway)
        if caller.system and self._rules.system_domain_id not in (ANY_DOMAIN, domain_id):
            raise Unauthenticated("system tokens of this domain are not accepted")
        if client_id and self._check_app is not None:
            permissions = await self._check_app((domain_id, client_id))
            if permissions is None:
                raise Unauthenticated("the app is not known")
            caller = replace(caller, permissions=permissions)
        return _Verified(caller, kid, key, began + self._rules.remember_seconds, expires)

    async def _verifying_key(
        self, token: str, domain_id: str, kid: str | None, since: float
    ) -> RSAKey | None:
        """The domain's key if `token` is signed with it, else None."""
        try:
            key = await self._keys(domain_id, kid)
        except Unavailable:
            # Without a key a decoy is tried, here and below: the time that a refusal takes must
            # not reveal which domains are known.
            self._is_signed(token, None)
            raise
        while not (self._is_signed(token, key) and key):
            newer = await self._keys(domain_id, kid, since, key)
            if newer == key:
                return None
            key = newer
        return key

    def _is_signed(self, token: str, key: RSAKey | None) -> bool:
        """Whether `token` is signed with `key`. The time this takes depends on the length of the
        signature only, not on `key`."""
        try:
            signature = octets_of(token.rpartition(".")[2])
        except ValueError:
            signature = b""
        # Made even if it is not tried, because making it takes time too.
        is_key_length = LEAST_KEY_BITS <= len(signature) * 8 <= MOST_KEY_BITS
        decoy = _decoy(len(signature) if is_key_length else LEAST_KEY_BITS // 8)
        candidate = decoy if key is None else key
        tried = candidate if _may_have_made(candidate, signature) else decoy
        try:
            jws.deserialize_compact(token, tried, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            return False
        return tried is key


def _may_have_made(key: RSAKey, signature: bytes) -> bool:
    """Whether a signature has the length of the key's modulus and is smaller; the library rejects
    others without computing anything (RFC 8017, section 8.2.2)."""
    modulus = key.public_key.public_numbers().n
    is_as_long = len(signature) == (modulus.bit_length() + 7) // 8
    return is_as_long and int.from_bytes(signature) < modulus


def _digest_of(token: str) -> bytes:
    """The SHA-256 digest of a token; raises Unauthenticated for text that cannot be one."""
    if not token:
        raise Unauthenticated("a token is required")
    if len(token) > MOST_TOKEN_BYTES:
        raise Unauthenticated(f"the token is longer than {MOST_TOKEN_BYTES} bytes")
    if not token.isascii():
        raise Unauthenticated(_MALFORMED)
    return hashlib.sha256(token.encode("ascii")).digest()


def _unverified(token: str) -> tuple[dict[str, Any], str | None]:
    """The payload and kid of a token whose signature is not verified yet."""
    parts = _SHAPE.fullmatch(token)
    if parts is None:
        raise Unauthenticated(_MALFORMED)
    header, payload = _part(parts[1]), _part(parts[2])
    if header.get("alg") != ALGORITHM:
        raise Unauthenticated(f"the token's algorithm is not {ALGORITHM}")
    if "crit" in header or "b64" in header:
        raise Unauthenticated("the token asks for extensions of its format")
    kid = header.get("kid")
    if kid is not None and (not isinstance(kid, str) or not KID.fullmatch(kid)):
        raise Unauthenticated("the token's key id (kid) is not an identifier")
    return payload, kid


def _part(encoded: str) -> dict[str, Any]:
    try:
        decoded = json.loads(octets_of(encoded))
    except (ValueError, RecursionError) as error:
        raise Unauthenticated(_MALFORMED) from error
    if not isinstance(decoded, dict):
        raise Unauthenticated(_MALFORMED)
    return decoded


@lru_cache(MOST_KEY_BITS // 8)
def _decoy(octets: int) -> RSAKey:
    """A public key whose signatures have this many octets. There is no private key: the modulus is
    a random number, not the product of two primes.

    The modulus begins with 64 one bits: a signature too large for it is too large for any key.
    """
    modulus = b"\xff" * 8 + secrets.token_bytes(octets - 9) + b"\xff"
    encoded = base64.urlsafe_b64encode(modulus).rstrip(b"=").decode("ascii")
    return parse_key({"kty": "RSA", "n": encoded, "e": "AQAB"})

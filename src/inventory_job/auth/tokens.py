"""Tokens → callers (spec/auth.md, "Token").

What is read before the signature is verified only chooses the key. Every failure is
Unauthenticated, with a reason that holds nothing of the token; an unknown key and a wrong
signature are one failure, and take the same time. A token that does not fit the key at hand while
no newer one may be looked for is neither good nor bad: Unavailable, and worth another attempt.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from joserfc import jws
from joserfc.errors import JoseError

from inventory_job.auth.callers import Caller, CallMetadata, read_metadata, trusted_caller
from inventory_job.auth.claims import ANY_DOMAIN, Claims, check_claims, domain_of
from inventory_job.auth.figures import Tally
from inventory_job.auth.keys import (
    ALGORITHM,
    KID,
    LEAST_KEY_BITS,
    MOST_KEY_BITS,
    KeySource,
    VerificationKey,
    parse_key,
)
from inventory_job.auth.lookups import Lookups
from inventory_job.errors import Unauthenticated, Unavailable

MOST_TOKEN_BYTES = 8192
"""The longest token looked at."""

_PART = "[A-Za-z0-9_-]+"
_SHAPE = re.compile(rf"({_PART})\.({_PART})\.({_PART})")
_MALFORMED = "the token is not a JSON Web Token"
_UNVERIFIED = "the token's signature cannot be verified"

_Noted = TypeVar("_Noted")


@dataclass(frozen=True, slots=True)
class AppGrant:
    """What an app may do, as the identity service has it."""

    permissions: tuple[str, ...]
    projects: tuple[str, ...]


class AppChecker(Protocol):
    """Where apps are known."""

    def check(self, domain_id: str, client_id: str, until: float | None = None) -> AppGrant | None:
        """What the app may do; None when there is no such app. `until` and errors as KeySource."""


class RemoteApps:
    """An AppChecker over a directory, asked for (domain_id, client_id)."""

    def __init__(self, lookups: Lookups[tuple[str, str], AppGrant]) -> None:
        self._lookups = lookups

    def check(self, domain_id: str, client_id: str, until: float | None = None) -> AppGrant | None:
        """As AppChecker."""
        return self._lookups.find((domain_id, client_id), until)


@dataclass(frozen=True, slots=True)
class TokenRules:
    """How tokens are judged.

    A verified token is remembered for `remember_seconds`, never beyond its expiry or its key;
    system tokens are taken from `system_domain_id` only, which may be ANY_DOMAIN.
    """

    leeway_seconds: float = 10.0
    system_domain_id: str = "domain-root"
    remember_seconds: float = 5.0
    remembered: int = 4096


@dataclass(frozen=True, slots=True)
class _Verified:
    claims: Claims
    kid: str | None
    key: VerificationKey
    until: float
    """Monotonic seconds; the expiry is looked at as well."""


class TokenAuthenticator:
    """Modes jwt and identity: the caller is who the token in the metadata says.

    `apps` is asked about tokens of apps; without it their own permissions count. `wall_clock` is
    in seconds since the epoch, `clock` monotonic and that of `keys`.
    """

    def __init__(
        self,
        keys: KeySource,
        apps: AppChecker | None = None,
        rules: TokenRules | None = None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.remembered = Tally()
        """Calls with a token that had been verified a moment ago."""
        self.verified = Tally()
        """Calls whose token was looked at as a whole, good or not."""
        self._keys = keys
        self._apps = apps
        self._rules = rules or TokenRules()
        self._wall_clock = wall_clock
        self._clock = clock
        self._remembered: _Latest[_Verified] = _Latest(self._rules.remembered)
        self._unsettled: _Latest[float] = _Latest(self._rules.remembered)
        self._decoys: dict[int, VerificationKey] = {}

    def authenticate(
        self, metadata: Iterable[tuple[str, str]], until: float | None = None
    ) -> Caller:
        """As Authenticator."""
        given = read_metadata(metadata)
        digest = _digest_of(given.token)
        verified = self._remembered.get(digest)
        if verified is not None and self._still_holds(verified, until):
            self.remembered.add()
        else:
            self.verified.add()
            verified = self._verify(given.token, digest, until)
            self._remembered.put(digest, verified)
        return self._caller(verified.claims, given)

    def recall(self, metadata: Iterable[tuple[str, str]]) -> Caller | None:
        """As Authenticator."""
        given = read_metadata(metadata)
        verified = self._remembered.get(_digest_of(given.token))
        if verified is None or self._has_run_out(verified):
            return None
        if self._keys.at_hand(verified.claims.domain_id, verified.kid) != verified.key:
            return None
        self.remembered.add()
        return self._caller(verified.claims, given)

    def _still_holds(self, verified: _Verified, until: float | None) -> bool:
        if self._has_run_out(verified):
            return False
        return self._keys.find(verified.claims.domain_id, verified.kid, until) == verified.key

    def _has_run_out(self, verified: _Verified) -> bool:
        return self._clock() >= verified.until or self._wall_clock() >= verified.claims.expires

    def _verify(self, token: str, digest: bytes, until: float | None) -> _Verified:
        began = self._clock()
        payload, kid = _unverified(token)
        domain_id = domain_of(payload)
        # A token that could not be told good or bad is settled by any answer since it was seen.
        since = self._unsettled.get(digest) or began
        try:
            key = self._verifying_key(token, domain_id, kid, since, until)
        except Unavailable:
            self._unsettled.put(digest, since)
            raise
        if key is None:
            self._unsettled.drop(digest)
            raise Unauthenticated(_UNVERIFIED)
        claims = check_claims(payload, self._wall_clock(), self._rules.leeway_seconds)
        if claims.system and self._rules.system_domain_id not in (ANY_DOMAIN, claims.domain_id):
            raise Unauthenticated("system tokens of this domain are not accepted")
        if claims.client_id and self._apps is not None:
            grant = self._apps.check(claims.domain_id, claims.client_id, until)
            if grant is None:
                raise Unauthenticated("the app is not known")
            claims = replace(claims, permissions=grant.permissions, projects=grant.projects)
        return _Verified(claims, kid, key, began + self._rules.remember_seconds)

    def _verifying_key(
        self, token: str, domain_id: str, kid: str | None, since: float, until: float | None
    ) -> VerificationKey | None:
        """The key that `token` is signed with, if it is its domain's."""
        try:
            key = self._keys.find(domain_id, kid, until)
        except Unavailable:
            # As long as it takes where there is a key, here and below: nobody can time which
            # domains are known.
            self._is_signed(token, None)
            raise
        while not (self._is_signed(token, key) and key):
            newer = self._keys.find_newer(domain_id, kid, since, key, until)
            if newer == key:
                return None
            key = newer
        return key

    def _is_signed(self, token: str, key: VerificationKey | None) -> bool:
        """Whether `token` is signed with `key`. Takes as long as a key of the signature's length
        takes, whatever key there is."""
        signature = _signature(token)
        # In any case, as making one takes time too.
        decoy = self._decoy(len(signature))
        if key is not None and key.may_have_made(signature):
            return _fits(token, key)
        _fits(token, decoy)
        return False

    def _decoy(self, octets: int) -> VerificationKey:
        """A key whose signatures have so many octets, if there are any so long."""
        if not LEAST_KEY_BITS <= octets * 8 <= MOST_KEY_BITS:
            octets = LEAST_KEY_BITS // 8
        decoy = self._decoys.get(octets)
        if decoy is None:
            decoy = self._decoys[octets] = _made_decoy(octets)
        return decoy

    def _caller(self, claims: Claims, given: CallMetadata) -> Caller:
        if claims.system:
            caller = trusted_caller(given, given.domain_id)
            return replace(caller, injected_params=claims.injected_params)
        return Caller(
            domain_id=claims.domain_id,
            workspace_id=claims.workspace_id,
            role=claims.role,
            permissions=claims.permissions,
            projects=claims.projects,
            injected_params=claims.injected_params,
        )


class _Latest(Generic[_Noted]):
    """What is noted about tokens, by their digest: the latest notes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._notes: OrderedDict[bytes, _Noted] = OrderedDict()

    def get(self, digest: bytes) -> _Noted | None:
        with self._lock:
            return self._notes.get(digest)

    def put(self, digest: bytes, note: _Noted) -> None:
        with self._lock:
            self._notes[digest] = note
            self._notes.move_to_end(digest)
            if len(self._notes) > self._most:
                self._notes.popitem(last=False)

    def drop(self, digest: bytes) -> None:
        with self._lock:
            self._notes.pop(digest, None)


def _digest_of(token: str) -> bytes:
    """Raises Unauthenticated for what cannot be a token."""
    if not token:
        raise Unauthenticated("a token is required")
    if len(token) > MOST_TOKEN_BYTES:
        raise Unauthenticated(f"the token is longer than {MOST_TOKEN_BYTES} bytes")
    if not token.isascii():
        raise Unauthenticated(_MALFORMED)
    return hashlib.sha256(token.encode("ascii")).digest()


def _unverified(token: str) -> tuple[dict[str, Any], str | None]:
    """Payload and kid of a token whose signature has yet to be verified."""
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
        decoded = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError) as error:
        raise Unauthenticated(_MALFORMED) from error
    if not isinstance(decoded, dict):
        raise Unauthenticated(_MALFORMED)
    return decoded


def _signature(token: str) -> bytes:
    encoded = token.rpartition(".")[2]
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return b""


def _fits(token: str, key: VerificationKey) -> bool:
    try:
        jws.deserialize_compact(token, key.material, algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        return False
    return True


def _made_decoy(octets: int) -> VerificationKey:
    """A key that nobody has the private part of: a random number, not even a product of primes.

    It begins with ones, so that what is too large for it is too large for any key.
    """
    modulus = bytearray(secrets.token_bytes(octets))
    modulus[:8] = b"\xff" * 8
    modulus[-1] |= 1
    encoded = base64.urlsafe_b64encode(modulus).rstrip(b"=").decode("ascii")
    return parse_key({"kty": "RSA", "n": encoded, "e": "AQAB"})

"""The keys that verify tokens: what one must be like, and where they come from."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from inventory_job.auth.lookups import Lookups

ALGORITHM = "RS256"
"""The only algorithm of signatures."""

_KEY_BITS = range(2048, 8193)
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class InvalidKey(ValueError):
    """A key, or a file of keys, that cannot be used; the message says why, without the key."""


class OtherKey(InvalidKey):
    """A key for something else than the signatures of tokens."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public RSA key. Two are equal when they are the same key (RFC 7638)."""

    thumbprint: str
    material: RSAKey = field(compare=False, repr=False)


class KeySource(Protocol):
    """Where keys are. Both methods raise Unavailable when it cannot be told now."""

    def find(self, domain_id: str, kid: str | None) -> VerificationKey | None:
        """The key of a domain's tokens, or None; `kid` is what the token calls its key."""

    def find_newer(self, domain_id: str, kid: str | None, since: float) -> VerificationKey | None:
        """As `find`, after what was found there did not fit: looks for something newer than
        `since` (monotonic seconds), within limits."""


def parse_key(jwk: object) -> VerificationKey:
    """A public RSA key from a JWK (a dictionary) or its JSON text; raises InvalidKey."""
    if isinstance(jwk, str):
        jwk = _parse_json(jwk)
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kty"), str):
        raise InvalidKey("the key is not an RSA key in JWK form")
    if jwk["kty"] != "RSA":
        raise OtherKey("the key is not an RSA key in JWK form")
    if _PRIVATE_MEMBERS & jwk.keys():
        raise InvalidKey("the key is a private key; only its public part belongs here")
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", ALGORITHM) != ALGORITHM:
        raise OtherKey(f"the key is not for signatures with {ALGORITHM}")
    # Only what makes the key: the rest (kid, x5c, …) changes nothing about it.
    modulus, exponent = str(jwk.get("n")), str(jwk.get("e"))
    try:
        bits = _bits_of(modulus)
        # joserfc takes shorter ones, with a warning.
        material = (
            RSAKey.import_key({"kty": "RSA", "n": modulus, "e": exponent})
            if bits in _KEY_BITS
            else None
        )
    except (JoseError, ValueError, OverflowError) as error:
        raise InvalidKey("the key is not an RSA key in JWK form") from error
    if material is None:
        raise InvalidKey(f"the key has {bits} bits, not {_KEY_BITS[0]} to {_KEY_BITS[-1]}")
    return VerificationKey(material.thumbprint(), material)


def _bits_of(modulus: str) -> int:
    padded = modulus + "=" * (-len(modulus) % 4)
    return int.from_bytes(base64.urlsafe_b64decode(padded)).bit_length()


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys by domain, or by kid; of the latter each is good for every domain."""

    by_domain: Mapping[str, VerificationKey] | None
    by_kid: Mapping[str, VerificationKey]

    def find(self, domain_id: str, kid: str | None) -> VerificationKey | None:
        """As KeySource.find."""
        if self.by_domain is not None:
            return self.by_domain.get(domain_id)
        if kid is None and len(self.by_kid) == 1:
            return next(iter(self.by_kid.values()))
        return self.by_kid.get(kid or "")


def parse_keys(text: str) -> KeySet:
    """A file's keys: `{domain_id: jwk, …}`, or a JWKS whose keys have a kid each; of a JWKS the
    keys for something else are passed over (RFC 7517, section 5).

    Raises InvalidKey.
    """
    parsed = _parse_json(text)
    if not isinstance(parsed, dict) or not parsed:
        raise InvalidKey("it is neither {domain_id: jwk} nor a JWKS")
    if not isinstance(parsed.get("keys"), list):
        return KeySet({name: _named(name, jwk) for name, jwk in parsed.items()}, {})
    by_kid: dict[str, VerificationKey] = {}
    for index, jwk in enumerate(parsed["keys"]):
        name = f"key {index} of the JWKS"
        try:
            key = _named(name, jwk)
        except OtherKey:
            continue
        kid = jwk.get("kid")
        if not isinstance(kid, str) or not kid or kid in by_kid:
            raise InvalidKey(f"{name} has no kid of its own")
        by_kid[kid] = key
    if parsed["keys"] and not by_kid:
        raise InvalidKey(f"no key of the JWKS is for signatures with {ALGORITHM}")
    return KeySet(None, by_kid)


def _named(name: str, jwk: object) -> VerificationKey:
    try:
        return parse_key(jwk)
    except InvalidKey as error:
        raise type(error)(f"{name}: {error}") from error


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidKey("it is not JSON") from error


class KeyFile:
    """A KeySource over a file, read again when it has changed.

    Whether it has is looked up once in `interval` seconds. A change for the worse is logged, and
    the keys stay as they were. The first reading raises InvalidKey.
    """

    def __init__(
        self, path: Path, interval: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._log = structlog.get_logger(__name__)
        self._looked_at = clock()
        self._version = self._stat()
        self._keys = self._read()

    def find(self, domain_id: str, kid: str | None) -> VerificationKey | None:
        """As KeySource."""
        if self._clock() - self._looked_at >= self._interval:
            self._look()
        return self._keys.find(domain_id, kid)

    def find_newer(self, domain_id: str, kid: str | None, since: float) -> VerificationKey | None:
        """As KeySource; a look at the file is cheap enough to be taken every time."""
        self._look()
        return self._keys.find(domain_id, kid)

    def _look(self) -> None:
        with self._lock:
            self._looked_at = self._clock()
            version = self._stat()
            if version == self._version:
                return
            self._version = version
            try:
                self._keys = self._read()
            except InvalidKey as error:
                self._log.error("key file not read again", reason=str(error))
            else:
                self._log.info("key file read again", file=str(self._path))

    def _stat(self) -> tuple[int, ...]:
        """What changes with the file; empty when it is not there."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read(self) -> KeySet:
        try:
            return parse_keys(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidKey(f"Cannot read {self._path}: {error.strerror}.") from error
        except (InvalidKey, UnicodeDecodeError) as error:
            reason = error if isinstance(error, InvalidKey) else "it is not UTF-8"
            raise InvalidKey(f"Cannot use the keys in {self._path}: {reason}.") from error


class RemoteKeys:
    """A KeySource over a directory that is asked for one domain's key at a time."""

    def __init__(self, lookups: Lookups[str, VerificationKey]) -> None:
        self._lookups = lookups

    def find(self, domain_id: str, kid: str | None) -> VerificationKey | None:
        """As KeySource; a domain has one key, whatever a token calls it."""
        return self._lookups.find(domain_id)

    def find_newer(self, domain_id: str, kid: str | None, since: float) -> VerificationKey | None:
        """As KeySource."""
        return self._lookups.find_newer(domain_id, since)

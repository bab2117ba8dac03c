"""The keys that verify tokens: what one must be like, and where they come from."""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from inventory_job.auth.lookups import Lookups

ALGORITHM = "RS256"
"""The only algorithm of signatures."""

LEAST_KEY_BITS = 2048
MOST_KEY_BITS = 6144
"""joserfc refuses the signatures of longer keys."""

KID = re.compile(r"(?!/)(?!.*(?:\.\.|//))[A-Za-z0-9._~:=+@/-]{1,128}")
"""What a key may be called by tokens, base64 included: no absolute path, URL or query, and no way
out of a directory."""

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class InvalidKey(ValueError):
    """A key, or a file of keys, that cannot be used; the message says why, without the key."""


class OtherKey(InvalidKey):
    """A key for something else than the signatures of tokens."""


class KeySource(Protocol):
    """Finds keys."""

    async def find(
        self, domain_id: str, kid: str | None, since: float = -math.inf, unfit: RSAKey | None = None
    ) -> RSAKey | None:
        """The key of a domain's tokens, or None; `kid` is the token's name for its key. Raises
        Unavailable while that is impossible.

        When the key `unfit` did not fit: another key, or `unfit` again if there has been none
        since `since` (monotonic seconds).
        """


def parse_key(jwk: object) -> RSAKey:
    """A public RSA key from a JWK (a dictionary) or its JSON text; raises InvalidKey."""
    if isinstance(jwk, str):
        jwk = _parse_json(jwk)
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kty"), str):
        raise InvalidKey("the key is not an RSA key in JWK form")
    if jwk["kty"] != "RSA":
        raise OtherKey("the key is not an RSA key in JWK form")
    if _PRIVATE_MEMBERS & jwk.keys():
        raise InvalidKey("the key is a private key; only its public part belongs here")
    if not _is_for_verifying(jwk):
        raise OtherKey(f"the key is not for signatures with {ALGORITHM}")
    # joserfc takes keys that are too short, or no keys at all.
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    bits = modulus.bit_length()
    if not LEAST_KEY_BITS <= bits <= MOST_KEY_BITS:
        raise InvalidKey(f"the key has {bits} bits, not {LEAST_KEY_BITS} to {MOST_KEY_BITS}")
    if modulus % 2 == 0:
        raise InvalidKey("the key's modulus (n) is even")
    if not (3 <= exponent < 2**32 and exponent % 2):
        raise InvalidKey("the key's exponent (e) is not an odd number from 3 to 2^32 - 1")
    # Only what makes the key, and keys equal: the rest (kid, x5c, …) changes nothing about it.
    try:
        return RSAKey.import_key({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
    except (JoseError, ValueError) as error:
        raise InvalidKey("the key is not an RSA key in JWK form") from error


def _is_for_verifying(jwk: Mapping[str, Any]) -> bool:
    """RFC 7517, sections 4.2 to 4.4."""
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig"
        and jwk.get("alg", ALGORITHM) == ALGORITHM
        and isinstance(operations, list)
        and "verify" in operations
    )


def _number(jwk: Mapping[str, Any], name: str) -> int:
    try:
        return int.from_bytes(octets_of(jwk[name]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidKey("the key is not an RSA key in JWK form") from error


def octets_of(encoded: str) -> bytes:
    """What base64url without padding says; raises ValueError for what is none."""
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars="-_", validate=True)


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys by domain, or by kid; of the latter each is good for every domain."""

    keys: Mapping[str, RSAKey]
    by_kid: bool

    def find(self, domain_id: str, kid: str | None) -> RSAKey | None:
        if self.by_kid and kid is None and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return self.keys.get((kid or "") if self.by_kid else domain_id)


def parse_keys(text: str) -> KeySet:
    """A file's keys: `{domain_id: jwk, …}`, or a JWKS whose keys have a kid each; of a JWKS the
    keys for something else are passed over (RFC 7517, section 5).

    `{}` holds none. Raises InvalidKey.
    """
    parsed = _parse_json(text)
    if not isinstance(parsed, dict):
        raise InvalidKey("it is neither {domain_id: jwk} nor a JWKS")
    if not isinstance(parsed.get("keys"), list):
        if "" in parsed:
            raise InvalidKey("a domain id is empty")
        by_domain = {name: _named(name, jwk) for name, jwk in parsed.items()}
        return KeySet(by_domain, by_kid=False)
    # Other members of a JWKS are passed over (RFC 7517, section 5), but not lost keys.
    domains = sorted(name for name, value in parsed.items() if isinstance(value, dict))
    if domains:
        raise InvalidKey(f"it is a JWKS and has the key of a domain, {domains[0]}, as well")
    by_kid: dict[str, RSAKey] = {}
    for index, jwk in enumerate(parsed["keys"]):
        name = f"key {index} of the JWKS"
        try:
            key = _named(name, jwk)
        except OtherKey:
            continue
        kid = jwk.get("kid")
        if not isinstance(kid, str) or not kid or kid in by_kid:
            raise InvalidKey(f"{name} has no kid of its own")
        if not KID.fullmatch(kid):
            raise InvalidKey(
                f"{name} has a kid that is not 1 to 128 letters, digits and . _ ~ : = + @ / -, "
                "without .. and // and not beginning with /"
            )
        by_kid[kid] = key
    if parsed["keys"] and not by_kid:
        raise InvalidKey(f"no key of the JWKS is for signatures with {ALGORITHM}")
    return KeySet(by_kid, by_kid=True)


def _named(name: str, jwk: object) -> RSAKey:
    try:
        return parse_key(jwk)
    except InvalidKey as error:
        raise type(error)(f"{name}: {error}") from error


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unambiguous)
    except json.JSONDecodeError as error:
        raise InvalidKey("it is not JSON") from error
    except RecursionError as error:
        raise InvalidKey("it is nested too deeply") from error
    except InvalidKey:
        raise
    except ValueError as error:
        raise InvalidKey("it holds a number that is too long") from error


def _unambiguous(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members as a dictionary; raises InvalidKey if one is there twice, as readers of JSON
    disagree about which of them counts."""
    found = dict(members)
    if len(found) < len(members):
        [(twice, _)] = Counter(name for name, _ in members).most_common(1)
        raise InvalidKey(f"{twice} is there more than once")
    return found


def read_keys(path: Path) -> KeySet:
    """The keys in a file; raises InvalidKey, which names the file."""
    try:
        return parse_keys(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidKey(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidKey(f"Cannot use the keys in {path}: it is not UTF-8.") from error
    except InvalidKey as error:
        raise InvalidKey(f"Cannot use the keys in {path}: {error}.") from error


class KeyFile:
    """A KeySource over a file, read again when it has changed.

    When a changed file cannot be used, the keys stay as they were, and that is logged; `{}` can be
    used. The first reading raises InvalidKey, also when there are no keys.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = structlog.get_logger(__name__)
        self._version = self._stat()
        self._keys = read_keys(path)
        if not self._keys.keys:
            raise InvalidKey(f"There is no key in {path}.")

    async def find(
        self, domain_id: str, kid: str | None, since: float = -math.inf, unfit: RSAKey | None = None
    ) -> RSAKey | None:
        """Never suspends. Whether the file has changed takes some microseconds."""
        version = self._stat()
        if version != self._version:
            self._version = version
            try:
                self._keys = read_keys(self._path)
            except InvalidKey as error:
                self._log.error("key file not read again", reason=str(error))
            else:
                keys = len(self._keys.keys)
                self._log.info("key file read again", file=str(self._path), keys=keys)
        return self._keys.find(domain_id, kid)

    def _stat(self) -> tuple[int, ...]:
        """What changes with the file; empty when it is not there."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns


class RemoteKeys:
    """A KeySource over a directory with one key for each domain, whatever tokens call it."""

    def __init__(self, lookups: Lookups[str, RSAKey]) -> None:
        self._lookups = lookups

    async def find(
        self, domain_id: str, kid: str | None, since: float = -math.inf, unfit: RSAKey | None = None
    ) -> RSAKey | None:
        return await self._lookups.find(domain_id, since, unfit)

"""The public keys that verify tokens: their validation, and the sources that provide them."""

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

ALGORITHM = "RS256"
"""The only signature algorithm accepted."""

LEAST_KEY_BITS = 2048
MOST_KEY_BITS = 6144
"""joserfc rejects signatures made with longer keys."""

KID = re.compile(r"(?!/)(?!.*(?:\.\.|//))[A-Za-z0-9._~:=+@/-]{1,128}")
"""The format of a key id (kid). It allows base64, and excludes absolute paths, URLs, queries and
path traversal."""

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class InvalidKey(ValueError):
    """A key or key file is unusable; the message says why, and does not contain the key."""


class OtherKey(InvalidKey):
    """A key has another purpose than verifying the signatures of tokens."""


class KeySource(Protocol):
    """Finds the key for a token."""

    async def __call__(
        self,
        domain_id: str,
        kid: str | None,
        since: float = -math.inf,
        unfit: RSAKey | None = None,
        /,
    ) -> RSAKey | None:
        """The key for a domain's tokens, or None; `kid` is the key id in the token's header.
        Raises Unavailable while the key cannot be looked up.

        With `unfit`, a key that did not verify the token: a different key, or `unfit` again if it
        was still the domain's key at a look-up after `since` (monotonic seconds).
        """


def parse_key(jwk: object) -> RSAKey:
    """The public RSA key in a JWK, given as a dictionary or JSON text; raises InvalidKey."""
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
    # joserfc accepts keys that are too short, and numbers that make no RSA key.
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    bits = modulus.bit_length()
    if not LEAST_KEY_BITS <= bits <= MOST_KEY_BITS:
        raise InvalidKey(f"the key has {bits} bits, not {LEAST_KEY_BITS} to {MOST_KEY_BITS}")
    if modulus % 2 == 0:
        raise InvalidKey("the key's modulus (n) is even")
    if not (3 <= exponent < 2**32 and exponent % 2):
        raise InvalidKey("the key's exponent (e) is not an odd number from 3 to 2^32 - 1")
    # Without kid, x5c, …, which do not change the key, so that equal keys compare equal.
    try:
        return RSAKey.import_key({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
    except (JoseError, ValueError) as error:
        raise InvalidKey("the key is not an RSA key in JWK form") from error


def _is_for_verifying(jwk: Mapping[str, Any]) -> bool:
    """Whether `use`, `key_ops` and `alg` allow verifying (RFC 7517, sections 4.2 to 4.4)."""
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
    """Decodes base64url without padding; raises ValueError for malformed text."""
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars="-_", validate=True)


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys by domain id, or by kid. A key with a kid verifies the tokens of every domain."""

    keys: Mapping[str, RSAKey]
    by_kid: bool

    def find(self, domain_id: str, kid: str | None) -> RSAKey | None:
        if self.by_kid and kid is None and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return self.keys.get((kid or "") if self.by_kid else domain_id)


def parse_keys(text: str) -> KeySet:
    """Parses a key file: `{domain_id: jwk, …}`, or a JWKS in which every key has its own kid. Keys
    for other purposes in a JWKS are ignored (RFC 7517, section 5).

    `{}` is valid and holds no keys. Raises InvalidKey.
    """
    parsed = _parse_json(text)
    if not isinstance(parsed, dict):
        raise InvalidKey("it is neither {domain_id: jwk} nor a JWKS")
    if not isinstance(parsed.get("keys"), list):
        if "" in parsed:
            raise InvalidKey("a domain id is empty")
        by_domain = {name: _named(name, jwk) for name, jwk in parsed.items()}
        return KeySet(by_domain, by_kid=False)
    # Unknown members of a JWKS are ignored (RFC 7517, section 5), but not misplaced keys.
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
    """The members of a JSON object as a dictionary; raises InvalidKey for a repeated name, because
    JSON parsers disagree about which value counts."""
    found = dict(members)
    if len(found) < len(members):
        [(twice, _)] = Counter(name for name, _ in members).most_common(1)
        raise InvalidKey(f"{twice} is there more than once")
    return found


def read_keys(path: Path) -> KeySet:
    """The keys in a file; raises InvalidKey with the file's name in the message."""
    try:
        return parse_keys(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidKey(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidKey(f"Cannot use the keys in {path}: it is not UTF-8.") from error
    except InvalidKey as error:
        raise InvalidKey(f"Cannot use the keys in {path}: {error}.") from error


class KeyFile:
    """A KeySource over a file, which it reads again when the file has changed.

    If the changed file is invalid, the former keys stay in use and the error is logged; `{}` is
    valid. The constructor raises InvalidKey, also for a file without keys.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = structlog.get_logger(__name__)
        self._version = self._stat()
        self._keys = read_keys(path)
        if not self._keys.keys:
            raise InvalidKey(f"There is no key in {path}.")

    async def __call__(self, domain_id: str, kid: str | None, *_: object) -> RSAKey | None:
        """Never suspends. Checking whether the file has changed takes some microseconds."""
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
        """Inode, size and modification time of the file; empty if the file is missing."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns

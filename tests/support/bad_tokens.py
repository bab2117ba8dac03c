"""Tokens that are not what they claim to be, by what is wrong with them."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.tokens import USER, Issuer, encoded, key_file_text, with_header


class Domains:
    """The issuers of the tests: a tenant, its neighbour, the platform, and a stranger."""

    def __init__(self, directory: Path) -> None:
        self.tenant = Issuer("domain-1")
        self.neighbour = Issuer("domain-2")
        self.root = Issuer("domain-root")
        self.stranger = Issuer("domain-unknown")
        self.key_file = directory / "keys.json"
        self.key_file.write_text(key_file_text(self.tenant, self.neighbour, self.root))

    def admin(self, **claims: Any) -> str:
        return self.tenant.token("DOMAIN_ADMIN", **claims)


def signed_with_the_public_key(domains: Domains) -> str:
    header = {"alg": "HS256", "typ": "JWT"}
    content = f"{encoded(header)}.{domains.admin().split('.')[1]}"
    secret = domains.tenant.jwk["n"].encode()
    return f"{content}.{encoded(hmac.new(secret, content.encode(), hashlib.sha256).digest())}"


def with_kid(domains: Domains, kid: Any) -> str:
    """In order but for what it calls its key, its signature included."""
    claims = {"did": "domain-1", "exp": int(time.time()) + 60, "rol": "DOMAIN_ADMIN", **USER}
    return domains.tenant.signed({"alg": "RS256", "kid": kid}, claims)


def unsigned(domains: Domains) -> str:
    return with_header(domains.admin(), {"alg": "none"}).rpartition(".")[0] + "."


def of_another_key(domains: Domains) -> str:
    return Issuer("domain-1").token("DOMAIN_ADMIN")


def changed(domains: Domains) -> str:
    header, _, signature = domains.admin().split(".")
    payload = {"did": "domain-2", "exp": time.time() + 60, "rol": "DOMAIN_ADMIN", **USER}
    return f"{header}.{encoded(payload)}.{signature}"


TOKENS: dict[str, Callable[[Domains], str]] = {
    "empty": lambda domains: "",
    "garbage": lambda domains: "garbage",
    "dots": lambda domains: "..",
    "bearer": lambda domains: f"Bearer {domains.admin()}",
    "nested": lambda domains: f"{encoded({'alg': 'RS256'})}.{encoded(b'[' * 5000)}.AA",
    "algorithm none": unsigned,
    "algorithm none, signed": lambda domains: with_header(domains.admin(), {"alg": "none"}),
    "HS256 with the public key": signed_with_the_public_key,
    "wrong key": of_another_key,
    "other domain's key": lambda domains: domains.neighbour.token("DOMAIN_ADMIN", did="domain-1"),
    "unknown domain": lambda domains: domains.stranger.token("DOMAIN_ADMIN"),
    "payload changed": changed,
    "key in the header": lambda domains: with_header(
        domains.stranger.token("DOMAIN_ADMIN", did="domain-1"),
        {"alg": "RS256", "jwk": domains.stranger.jwk},
    ),
    "signature cut off": lambda domains: domains.admin()[:-8],
    "expired": lambda domains: domains.admin(exp=int(time.time()) - 60),
    "no expiry": lambda domains: domains.admin(exp=None),
    "not yet valid": lambda domains: domains.admin(nbf=int(time.time()) + 60),
    "issued in the future": lambda domains: domains.admin(iat=int(time.time()) + 60),
    "no did": lambda domains: domains.admin(did=None),
    "did is an operator": lambda domains: domains.admin(did={"$ne": ""}),
    "no ver": lambda domains: domains.admin(ver=None),
    "ver 1.0": lambda domains: domains.admin(ver="1.0"),
    "no wid, owner": lambda domains: domains.tenant.token("WORKSPACE_OWNER"),
    "no wid, member": lambda domains: domains.tenant.token("WORKSPACE_MEMBER"),
    "wid *": lambda domains: domains.tenant.token("WORKSPACE_OWNER", wid="*"),
    "wid is an operator": lambda domains: domains.tenant.token(
        "WORKSPACE_OWNER", wid={"$exists": True}
    ),
    "refresh token": lambda domains: domains.admin(typ="REFRESH_TOKEN"),
    "user with a system token's type": lambda domains: domains.admin(typ="SYSTEM_TOKEN"),
    "a tenant's system token": lambda domains: domains.tenant.system_token(),
    "look-alike type": lambda domains: domains.admin(typ="АCCESS_TOKEN"),  # noqa: RUF001
    "kid is a path": lambda domains: with_kid(domains, "../../../../etc/passwd"),
    "kid is the key file": lambda domains: with_kid(domains, str(domains.key_file)),
    "kid is a path in pieces": lambda domains: with_kid(domains, "..\\..\\keys.json\0.pem"),
    "kid is an expression": lambda domains: with_kid(domains, "x' UNION SELECT 'key"),
    "kid is empty": lambda domains: with_kid(domains, ""),
    "kid is an operator": lambda domains: with_kid(domains, {"$ne": ""}),
    "kid under another signature": lambda domains: with_header(
        domains.admin(), {"alg": "RS256", "kid": "key-1"}
    ),
    "kid is a URL": lambda domains: with_kid(domains, "http://127.0.0.1:1/keys"),
    "huge kid": lambda domains: with_kid(domains, "k" * 4000),
    "oversized": lambda domains: domains.admin(pad="x" * 9000),
    "prescribes nothing": lambda domains: domains.admin(injected_params={"workspace_id": ""}),
}


CLAIMS: dict[str, dict[str, Any]] = {
    "another tenant prescribed": {"injected_params": {"domain_id": "domain-2"}},
    "permission cut mid-word": {"permissions": ["inventory:Jo"]},
    "permission too long": {"permissions": ["inventory:Job.readwrite"]},
    "permission of another resource": {"permissions": ["inventory:JobTask"]},
    "empty permission": {"permissions": [""]},
    "permission *": {"permissions": ["*"]},
    "no role": {"rol": None},
    "role USER": {"rol": "USER"},
    "role SYSTEM_ADMIN": {"rol": "SYSTEM_ADMIN"},
    "role in small letters": {"rol": "domain_admin"},
    "role with a space": {"rol": "DOMAIN_ADMIN "},
    "look-alike role": {"rol": "DOMAIN_ΑDMIN"},  # noqa: RUF001
    "role in wide letters": {"rol": "ＤＯＭＡＩＮ_ＡＤＭＩＮ"},  # noqa: RUF001
    "look-alike role of a workspace": {"rol": "WORKSPACE_ОWNER", "wid": "ws-1"},  # noqa: RUF001
}

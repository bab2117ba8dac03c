"""Part of the composition root: authentication as the settings have it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from inventory_job.auth.callers import AnonymousAuthenticator, Authenticator, AuthStats
from inventory_job.auth.policy import is_loopback
from inventory_job.settings import CannotStart, Settings


@dataclass(frozen=True, slots=True)
class Authentication:
    """An authenticator with its counters, and what is to be closed after the last call."""

    authenticator: Authenticator
    stats: AuthStats = field(default_factory=AuthStats)
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)


def build_authentication(settings: Settings) -> Authentication:
    """Authentication for the running event loop; raises CannotStart."""
    if settings.auth_mode == "none":
        return Authentication(_anonymous(settings))
    # Imported here: the cryptography that tokens need takes 11 MiB.
    from inventory_job.app import token_authentication  # noqa: PLC0415

    return token_authentication.build(settings)


def _anonymous(settings: Settings) -> Authenticator:
    hosts = [settings.host, *([settings.http_host] if settings.http and settings.http_host else [])]
    remote = [host for host in hosts if not is_loopback(host)]
    if remote and not settings.allow_remote_without_auth:
        raise CannotStart(
            f"Without authentication only loopback addresses are served, not {remote[0]}. "
            "Set auth_mode (INVENTORY_JOB_AUTH_MODE=jwt or identity), or "
            "allow_remote_without_auth (INVENTORY_JOB_ALLOW_REMOTE_WITHOUT_AUTH=true) where the "
            "network keeps strangers out."
        )
    return AnonymousAuthenticator(settings.default_domain_id)

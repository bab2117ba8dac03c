"""Part of the composition root: builds the authenticator that the settings ask for."""

from __future__ import annotations

from contextlib import AsyncExitStack

from inventory_job.auth.callers import AnonymousAuthenticator, Authenticator, AuthStats
from inventory_job.auth.policy import is_loopback
from inventory_job.settings import CannotStart, Settings


def build_authenticator(
    settings: Settings, resources: AsyncExitStack, stats: AuthStats
) -> Authenticator:
    """Returns the authenticator for the running event loop. It counts in `stats`; closing
    `resources` closes what it opened. Raises CannotStart."""
    if settings.auth_mode != "none":
        # Imported only for tokens: the cryptography they need takes 11 MiB of memory.
        from inventory_job.app import token_authentication  # noqa: PLC0415

        return token_authentication.build(settings, resources, stats)
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

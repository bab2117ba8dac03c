"""Part of the composition root: authentication by tokens, as the settings have it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from inventory_job.auth.figures import Authentication, AuthFigures
from inventory_job.auth.keys import InvalidKey, KeyFile, RemoteKeys
from inventory_job.auth.lookups import LookupLimits, Lookups, Waiters
from inventory_job.auth.tokens import RemoteApps, TokenAuthenticator, TokenRules
from inventory_job.errors import Unavailable
from inventory_job.settings import CannotStart, Settings
from inventory_job.transport.grpc.identity_client import (
    IdentityClient,
    InvalidEndpoint,
    open_channel,
)
from inventory_job.transport.grpc.tls import InvalidTls, read_pem


def build(settings: Settings, resources: ExitStack) -> Authentication:
    """For the modes jwt and identity; as authentication.build_authentication."""
    rules = TokenRules(settings.token_leeway_seconds, settings.system_domain_id)
    if settings.auth_mode == "jwt":
        return _by_key_file(settings, rules)
    return _by_identity(settings, rules, resources)


def _by_key_file(settings: Settings, rules: TokenRules) -> Authentication:
    assert settings.auth_key_file is not None  # noqa: S101  settings hold it for this mode
    try:
        authenticator = TokenAuthenticator(KeyFile(settings.auth_key_file), rules=rules)
    except InvalidKey as error:
        raise CannotStart(str(error)) from error
    figures = AuthFigures(authenticator.remembered, authenticator.verified)
    return Authentication(authenticator, figures)


def _by_identity(settings: Settings, rules: TokenRules, resources: ExitStack) -> Authentication:
    client = _identity_client(settings, resources)
    limits = LookupLimits(
        keep_seconds=settings.key_cache_seconds,
        burst=max(1, round(settings.identity_lookups_per_second * 4)),
        per_second=settings.identity_lookups_per_second,
        at_a_time=max(1, settings.threads // 2),
    )
    # Whoever asks for an app holds a verified token: more of them are let through.
    app_limits = replace(limits, burst=100, per_second=50.0)
    # A slow identity leaves some threads to callers whose keys and apps are known.
    waiters = Waiters(max(1, settings.threads * 3 // 4))
    keys = Lookups(client.public_key, limits, time.monotonic, waiters)
    apps = Lookups(client.check_app, app_limits, time.monotonic, waiters)
    authenticator = TokenAuthenticator(RemoteKeys(keys), RemoteApps(apps), rules)
    figures = AuthFigures(
        authenticator.remembered, authenticator.verified, client.asked, client.unanswered
    )
    return Authentication(authenticator, figures)


def _identity_client(settings: Settings, resources: ExitStack) -> IdentityClient:
    assert settings.identity_endpoint is not None  # noqa: S101  settings hold it for this mode
    if settings.identity_ca_file and not settings.identity_endpoint.startswith("grpc+ssl://"):
        raise CannotStart(
            "identity_ca_file is for an endpoint with TLS: name it grpc+ssl://host:port, or the "
            "connection would be open to everyone on its way."
        )
    try:
        ca = read_pem(settings.identity_ca_file) if settings.identity_ca_file else None
        channel = resources.enter_context(open_channel(settings.identity_endpoint, ca))
    except (InvalidEndpoint, InvalidTls) as error:
        raise CannotStart(str(error)) from error
    token = _identity_token(settings)
    try:
        token()
    except Unavailable as error:
        raise CannotStart(error.message) from error
    return IdentityClient(channel, token, settings.identity_seconds)


def _identity_token(settings: Settings) -> Callable[[], str]:
    file, fixed = settings.identity_token_file, settings.identity_token

    def token() -> str:
        if file is None:
            text = fixed.get_secret_value() if fixed else ""
        else:
            try:
                text = file.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError) as error:
                raise Unavailable("this server's own token cannot be read") from error
        text = text.strip()
        if not (text.isascii() and text.isprintable() and text):
            raise Unavailable("this server's own token is not one")
        return text

    return token

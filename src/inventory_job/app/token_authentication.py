"""Part of the composition root: builds the authenticator of tokens."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import grpc.aio

from inventory_job.auth.callers import AuthStats
from inventory_job.auth.keys import InvalidKey, KeyFile
from inventory_job.auth.lookups import LookupLimits, Lookups
from inventory_job.auth.tokens import TokenAuthenticator, TokenRules
from inventory_job.errors import Unavailable
from inventory_job.settings import CannotStart, InvalidSetting, Settings
from inventory_job.transport.grpc.identity_client import (
    IdentityClient,
    InvalidEndpoint,
    open_channel,
)
from inventory_job.transport.tls import InvalidTls, read_pem


def build(settings: Settings, resources: AsyncExitStack, stats: AuthStats) -> TokenAuthenticator:
    """The authenticator of modes jwt and identity; see authentication.build_authenticator."""
    rules = TokenRules(settings.token_leeway_seconds, settings.system_domain_id)
    if file := settings.auth_key_file:  # always set in mode jwt, and only there
        try:
            return TokenAuthenticator(KeyFile(file), None, rules, stats)
        except InvalidKey as error:
            raise CannotStart(str(error)) from error
    own_token = partial(_own_token, settings)
    try:
        own_token()
    except Unavailable as error:
        raise CannotStart(error.message) from error
    channel = _identity_channel(settings)
    client = IdentityClient(channel, own_token, settings.identity_seconds, stats)
    limits = LookupLimits(
        keep_seconds=settings.key_cache_seconds,
        burst=max(1, round(settings.identity_lookups_per_second * 4)),
        per_second=settings.identity_lookups_per_second,
    )
    keys = Lookups(client.public_key, limits)
    # Only verified tokens cause look-ups of apps, so these have a higher rate limit.
    apps = Lookups(client.check_app, replace(limits, burst=100, per_second=50.0))
    resources.push_async_callback(channel.close)
    # The identity service has one key for each domain, whatever kid the token names.
    return TokenAuthenticator(
        lambda domain_id, _kid, *unfit: keys.find(domain_id, *unfit), apps.find, rules, stats
    )


def _identity_channel(settings: Settings) -> grpc.aio.Channel:
    assert settings.identity_endpoint is not None  # noqa: S101  this mode requires it
    try:
        ca = read_pem(settings.identity_ca_file) if settings.identity_ca_file else None
        return open_channel(settings.identity_endpoint, ca)
    except InvalidEndpoint as error:
        raise InvalidSetting(f"setting identity_endpoint: {error}") from error
    except InvalidTls as error:
        raise CannotStart(str(error)) from error


def _own_token(settings: Settings) -> str:
    """This server's own token, its file read anew; raises Unavailable if there is none."""
    file, fixed = settings.identity_token_file, settings.identity_token
    text = fixed.get_secret_value() if fixed else ""
    try:
        text = (file.read_text(encoding="ascii") if file else text).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable("this server's own token cannot be read") from error
    if not (text.isascii() and text.isprintable() and text):
        raise Unavailable("this server's own token is not one")
    return text

"""Calls to the identity service: the public key of a domain, and the permissions of an app."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message
from joserfc.jwk import RSAKey

from inventory_job.auth.callers import AuthStats
from inventory_job.auth.keys import InvalidKey, parse_key
from inventory_job.auth.lookups import Unanswered
from inventory_job.errors import Unavailable
from inventory_job.stubs.inventory_job.auth.v1.identity_pb2 import (
    AppCheckInfo,
    AppCheckRequest,
    PublicKeyInfo,
    PublicKeyRequest,
)

_GET_PUBLIC_KEY = "/spaceone.api.identity.v2.Domain/get_public_key"
_CHECK_APP = "/spaceone.api.identity.v2.App/check"

_ENDPOINT = re.compile(
    r"(?:(grpc|grpcs|grpc\+ssl)://)?((?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5}))/?"
)
_UNKNOWN = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})
# Identity's statuses for an app that does not exist, or that is disabled, or whose domain or
# workspace is. For a public key, PERMISSION_DENIED is about this server's own token.
_NO_APP = _UNKNOWN | {grpc.StatusCode.PERMISSION_DENIED}
# With these, every other call fails as well; UNAUTHENTICATED is about this server's own token.
_DOWN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)
# By default gRPC's reconnect backoff grows to minutes; auth.rate_limits has that of our calls.
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_Answer = TypeVar("_Answer", bound=Message)


class InvalidEndpoint(ValueError):
    """Not the address of an identity service; the message says what is expected."""


def open_channel(endpoint: str, ca: bytes | None = None) -> grpc.aio.Channel:
    """A channel to `host:port`, `grpc://host:port`, or, with TLS, `grpc+ssl://host:port`, for the
    running event loop; it connects on the first call.

    `ca`: the CA certificates trusted with TLS, as PEM; default: gRPC's own. Raises
    InvalidEndpoint, whose message does not repeat the endpoint: it may hold a password.
    """
    matched = _ENDPOINT.fullmatch(endpoint)
    if matched is None or not 0 < int(matched[3]) < 2**16:
        raise InvalidEndpoint(
            "The identity endpoint is none of host:port, grpc://host:port and "
            "grpc+ssl://host:port, with a port from 1 to 65535 and without user and password."
        )
    scheme, target = matched[1], matched[2]
    if scheme not in (None, "grpc"):
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(ca), _OPTIONS)
    if ca is not None:
        raise InvalidEndpoint(
            "identity_ca_file is for an endpoint with TLS: name it grpc+ssl://host:port, or the "
            "connection would be open to everyone on its way."
        )
    return grpc.aio.insecure_channel(target, _OPTIONS)


class IdentityClient:
    """Calls the identity service, without a cache.

    `token` returns the server's own system token for each call; `seconds` is the timeout of a call;
    `stats` counts calls. A failed call raises Unavailable, or Unanswered.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        token: Callable[[], str],
        seconds: float,
        stats: AuthStats,
    ) -> None:
        self._channel = channel
        self._token = token
        self._seconds = seconds
        self._stats = stats
        self._log = structlog.get_logger(__name__)

    async def public_key(self, domain_id: str) -> RSAKey | None:
        """The key that verifies a domain's tokens; None for an unknown domain, or for an unusable
        key, which is logged."""
        request = PublicKeyRequest(domain_id=domain_id)
        answer = await self._call(_GET_PUBLIC_KEY, request, PublicKeyInfo)
        if answer is None:
            return None
        try:
            return parse_key(answer.public_key)
        except InvalidKey as error:
            self._log.warning("unusable public key", domain_id=domain_id, reason=str(error))
            return None

    async def check_app(self, app: tuple[str, str]) -> tuple[str, ...] | None:
        """The permissions of an app, given as (domain_id, client_id); None if it does not exist or
        is disabled, which is logged."""
        domain_id, client_id = app
        request = AppCheckRequest(client_id=client_id, domain_id=domain_id)
        answer = await self._call(_CHECK_APP, request, AppCheckInfo, _NO_APP)
        if answer is None:
            # If every app is refused, it is this server's own token that lacks the permission.
            self._log.warning("app refused", domain_id=domain_id, client_id=client_id)
            return None
        return tuple(answer.permissions)

    async def _call(
        self,
        method: str,
        request: Message,
        answer: type[_Answer],
        unknown: Collection[grpc.StatusCode] = _UNKNOWN,
    ) -> _Answer | None:
        """The response; None if the status is one of `unknown`."""
        call: Callable[..., Awaitable[_Answer]] = self._channel.unary_unary(
            method,
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        metadata = (("token", self._token()),)
        self._stats.identity_calls += 1
        try:
            return await call(request, metadata=metadata, timeout=self._seconds)
        except grpc.RpcError as error:
            code = error.code()
            if code in unknown:
                return None
            self._stats.identity_failures += 1
            self._log.warning("identity call failed", method=method, status=code.name)
            if code in _DOWN:
                raise Unavailable("the identity service cannot be reached") from error
            raise Unanswered("the identity service has no answer") from error

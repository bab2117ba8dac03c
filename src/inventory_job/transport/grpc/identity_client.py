"""Outbound calls to the identity service: a domain's public key, and what an app may do."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import grpc
import structlog
from google.protobuf.message import Message

from inventory_job.auth.figures import Tally
from inventory_job.auth.keys import InvalidKey, VerificationKey, parse_key
from inventory_job.auth.lookups import Unanswered
from inventory_job.auth.tokens import AppGrant
from inventory_job.errors import Unavailable
from inventory_job.stubs.inventory_job.auth.v1.identity_pb2 import (
    AppCheckInfo,
    AppCheckRequest,
    PublicKeyInfo,
    PublicKeyRequest,
)

_GET_PUBLIC_KEY = "/spaceone.api.identity.v2.Domain/get_public_key"
_CHECK_APP = "/spaceone.api.identity.v2.App/check"

_PLAIN_SCHEMES = ("", "grpc")
_TLS_SCHEMES = ("grpcs", "grpc+ssl")
_TARGET = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_UNKNOWN = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})
# What identity answers for an app that is not there, or is disabled itself or with its domain or
# workspace. Of keys it would say something about our own token only.
_NO_APP = _UNKNOWN | {grpc.StatusCode.PERMISSION_DENIED}
# With these the next call fails as well, whatever it asks; the last is about our own token.
_DOWN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)
# gRPC's own pauses between attempts to connect grow to minutes; auth.lookups keeps ours.
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_Answer = TypeVar("_Answer", bound=Message)


class InvalidEndpoint(ValueError):
    """Not the address of an identity service; the message says what would be one."""


def open_channel(endpoint: str, ca: bytes | None = None) -> grpc.Channel:
    """A channel to `host:port`, `grpc://host:port`, or with TLS `grpc+ssl://host:port`.

    `ca`: the certificates trusted with TLS, in PEM form; default: gRPC's own. Does not connect.
    Raises InvalidEndpoint, which does not repeat it: there may be a password in it.
    """
    scheme, _, target = endpoint.rpartition("://")
    if "@" in target:
        raise InvalidEndpoint(
            "The identity endpoint takes no user and password, only grpc://host:port or "
            "grpc+ssl://host:port; the server shows its own token."
        )
    target = target.removesuffix("/")
    matched = _TARGET.fullmatch(target)
    if matched is None or not 0 < int(matched[1]) < 2**16:
        raise InvalidEndpoint(
            "The identity endpoint is none of host:port, grpc://host:port and "
            "grpc+ssl://host:port, with a port from 1 to 65535."
        )
    if scheme in _PLAIN_SCHEMES:
        return grpc.insecure_channel(target, _OPTIONS)
    if scheme in _TLS_SCHEMES:
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca), _OPTIONS)
    raise InvalidEndpoint("The identity endpoint has none of the schemes grpc and grpc+ssl.")


class IdentityClient:
    """The two calls, not cached.

    `token` gives the server's own system token for each call; `seconds` is the longest a call may
    take. Everything but an answer raises Unavailable.
    """

    def __init__(self, channel: grpc.Channel, token: Callable[[], str], seconds: float) -> None:
        self.asked = Tally()
        """Calls made."""
        self.unanswered = Tally()
        """Those of them that brought no answer."""
        self._channel = channel
        self._token = token
        self._seconds = seconds
        self._log = structlog.get_logger(__name__)

    def public_key(self, domain_id: str) -> VerificationKey | None:
        """The key of a domain's tokens; None for an unknown domain, or one whose key is no good,
        which is logged."""
        request = PublicKeyRequest(domain_id=domain_id)
        answer = self._call(_GET_PUBLIC_KEY, request, PublicKeyInfo)
        if answer is None:
            return None
        try:
            return parse_key(answer.public_key)
        except InvalidKey as error:
            self._log.warning("unusable public key", domain_id=domain_id, reason=str(error))
            return None

    def check_app(self, app: tuple[str, str]) -> AppGrant | None:
        """What an app, given as (domain_id, client_id), may do; None when there is none such, or
        it is disabled, which is logged."""
        domain_id, client_id = app
        request = AppCheckRequest(client_id=client_id, domain_id=domain_id)
        answer = self._call(_CHECK_APP, request, AppCheckInfo, _NO_APP)
        if answer is None:
            # All apps refused at once: it is this server's own token that lacks the right.
            self._log.warning("app refused", domain_id=domain_id, client_id=client_id)
            return None
        return AppGrant(tuple(answer.permissions), tuple(answer.projects))

    def _call(
        self,
        method: str,
        request: Message,
        answer: type[_Answer],
        unknown: Collection[grpc.StatusCode] = _UNKNOWN,
    ) -> _Answer | None:
        """The answer; None if the status is one of `unknown`."""
        call: Any = self._channel.unary_unary(
            method,
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        self.asked.add()
        try:
            answered: _Answer = call(
                request, metadata=(("token", self._token()),), timeout=self._seconds
            )
        except grpc.RpcError as error:
            code = error.code()
            if code in unknown:
                return None
            self.unanswered.add()
            self._log.warning("identity call failed", method=method, status=code.name)
            if code in _DOWN:
                raise Unavailable("the identity service cannot be reached") from error
            raise Unanswered("the identity service has no answer") from error
        return answered

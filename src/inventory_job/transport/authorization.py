"""Who may come in, and how far: authentication, permission and scope of one call."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from google.protobuf.message import Message

from inventory_job.auth.callers import Authenticator, Caller
from inventory_job.auth.policy import authorize, confine
from inventory_job.auth.scope import Scope
from inventory_job.transport.call import CallContext
from inventory_job.wire.decode import decode


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may go on: the request, as the caller's token leaves it, and its scope."""

    request: Mapping[str, Any]
    scope: Scope


_identified: ContextVar[tuple[CallContext, str, Caller] | None] = ContextVar(
    "identified", default=None
)
"""The call whose caller was identified last, its method, and the caller."""


class Admission:
    """Admits calls whose metadata establish a caller who may call the method."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def recall(self, method: str, context: CallContext) -> Caller | None:
        """As `identify`, where that takes no time; None where it may."""
        caller = self._authenticator.recall(_texts(context))
        return None if caller is None else self._identified(method, context, caller)

    def identify(self, method: str, context: CallContext) -> Caller:
        """The caller, who may call `method`; raises Unauthenticated, PermissionDenied,
        InvalidRequest, Unavailable or RequestTimeout.

        All that can be told before there is a request. It is told once for a call that is worked
        on in one context (contextvars), as each is: a key that is replaced meanwhile ends none.
        """
        known = _identified.get()
        if known is not None and known[0] is context and known[1] == method:
            return known[2]
        remaining = context.time_remaining()
        until = None if remaining is None else time.monotonic() + remaining
        caller = self._authenticator.authenticate(_texts(context), until)
        return self._identified(method, context, caller)

    def _identified(self, method: str, context: CallContext, caller: Caller) -> Caller:
        authorize(caller, method)
        _identified.set((context, method, caller))
        return caller

    def admit(self, method: str, request: Message, context: CallContext) -> Admitted:
        """The `request` of `method`, admitted and only then decoded; raises as `identify`."""
        confined = confine(self.identify(method, context), method, decode(request))
        structlog.contextvars.bind_contextvars(domain_id=confined.scope.domain_id)
        return Admitted(confined.request, confined.scope)


def _texts(context: CallContext) -> list[tuple[str, str]]:
    return [(key, value) for key, value in context.invocation_metadata() if isinstance(value, str)]

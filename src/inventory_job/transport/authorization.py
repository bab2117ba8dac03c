"""Authentication, permission and scope of one call."""

from __future__ import annotations

import structlog
from google.protobuf.message import Message

from inventory_job.auth.callers import Authenticator, Caller
from inventory_job.auth.policy import Confined, authorize, confine
from inventory_job.transport.call import Call
from inventory_job.wire.decode import decode


class Authorization:
    """Decides which calls go on."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def identify(self, call: Call) -> Caller:
        """The caller of a call, noted in it and its domain in the log, once its right to the method
        is checked: all that the headers decide.

        Raises Unauthenticated, PermissionDenied, InvalidRequest or Unavailable.
        """
        call.caller = caller = await self._authenticator.authenticate(call.texts())
        structlog.contextvars.bind_contextvars(domain_id=caller.domain_id)
        authorize(caller, call.name)
        return caller

    def admit(self, call: Call, request: Message) -> Confined:
        """The decoded `request` of an identified call, and its scope; raises InvalidRequest and
        PermissionDenied."""
        if call.caller is None:
            raise ValueError("the call is not identified")
        return confine(call.caller, call.name, decode(request))

"""The steps common to all calls of the Job service: authentication, limits, response size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from inventory_job.auth.callers import Authenticator, Caller
from inventory_job.auth.policy import authorize
from inventory_job.errors import TooLarge
from inventory_job.observability.call_log import Metadata
from inventory_job.transport.call import Call
from inventory_job.transport.limiter import LARGE_BYTES, Limiter


class Dispatcher:
    """Authenticates and authorizes callers, and runs their calls within the limits. A response has
    at most `most_bytes`."""

    def __init__(self, authenticator: Authenticator, limiter: Limiter, most_bytes: int) -> None:
        self._authenticator = authenticator
        self._limiter = limiter
        self._most_bytes = most_bytes

    async def identify(self, method: str, metadata: Metadata) -> Caller:
        """The caller of a method (by its full name), authenticated and authorized by the metadata
        alone. From then on the log entries of the call have its domain_id.

        Raises Unauthenticated, PermissionDenied, InvalidRequest or Unavailable.
        """
        texts = ((key, value) for key, value in metadata if isinstance(value, str))
        caller = await self._authenticator.authenticate(texts)
        structlog.contextvars.bind_contextvars(domain_id=caller.domain_id)
        authorize(caller, method.rpartition("/")[2])
        return caller

    async def run(
        self,
        call: Call,
        work: Callable[[], Awaitable[bytes]],
        when_taken: Callable[[Callable[[], None]], None],
    ) -> bytes:
        """The serialized response that `work` returns, run with a permit and a slot.

        `when_taken` registers a function to be called once the response is sent or the client is
        gone. Raises Overloaded, TooLarge, and what `work` raises.
        """
        call.permit = permit = self._limiter.enter(call.caller.domain_id, call.peer)
        try:
            await permit.run()
            answer = await work()
            self.check_size(len(answer))
            permit.stop(is_large=len(answer) > LARGE_BYTES)
            when_taken(permit.leave)
        except BaseException:
            permit.leave()
            raise
        return answer

    def check_size(self, size: int) -> None:
        """Raises TooLarge for a response of more bytes than allowed."""
        if size > self._most_bytes:
            raise TooLarge("response", self._most_bytes)

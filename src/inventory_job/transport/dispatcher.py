"""What all calls of the Job service pass: who calls, the limits, the size of the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from inventory_job.auth.callers import Authenticator, Caller
from inventory_job.auth.policy import authorize
from inventory_job.errors import TooLarge
from inventory_job.transport.call import Call, Metadata
from inventory_job.transport.limiter import LARGE_BYTES, Limiter


class Dispatcher:
    """Admits callers, and runs their calls within the limits. `most_bytes` is the size of the
    largest answer."""

    def __init__(self, authenticator: Authenticator, limiter: Limiter, most_bytes: int) -> None:
        self._authenticator = authenticator
        self._limiter = limiter
        self._most_bytes = most_bytes

    async def identify(self, method: str, metadata: Metadata) -> Caller:
        """Who calls the full `method` name, once the right to is checked: all that the headers
        decide. The call's log entries name the domain from then on.

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
        """The answer that `work` gives to a call.

        `when_taken` registers a function to be called once the client has taken the answer, or is
        gone. Raises Overloaded, TooLarge, and what `work` raises.
        """
        call.permit = permit = self._limiter.enter(call.caller.domain_id, call.peer)
        try:
            await permit.run()
            try:
                answer = await work()
            finally:
                permit.charge()
            self.check_size(len(answer))
            permit.stop(is_large=len(answer) > LARGE_BYTES)
            when_taken(permit.leave)
        except BaseException:
            permit.leave()
            raise
        return answer

    def check_size(self, size: int) -> None:
        """Raises TooLarge for an answer of too many bytes."""
        if size > self._most_bytes:
            raise TooLarge("response", self._most_bytes)

"""Runs the calls of the Job service, whichever way they came: limits, failures, size of answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from inventory_job.errors import TooLarge
from inventory_job.transport.call import Call
from inventory_job.transport.limiter import LARGE_BYTES, Limiter


class Dispatcher:
    """Runs calls within the limits. `most_bytes` is the size of the largest answer."""

    def __init__(self, limiter: Limiter, most_bytes: int) -> None:
        self._limiter = limiter
        self._most_bytes = most_bytes

    async def run(
        self,
        call: Call,
        work: Callable[[], Awaitable[bytes]],
        when_taken: Callable[[Callable[[], None]], None],
    ) -> bytes:
        """The answer that `work` gives to an identified call.

        `when_taken` registers a function to be called once the client has taken the answer, or is
        gone. Raises Overloaded, TooLarge, and what `work` raises.
        """
        assert call.caller is not None  # noqa: S101  identified calls only
        structlog.contextvars.bind_contextvars(domain_id=call.caller.domain_id)
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

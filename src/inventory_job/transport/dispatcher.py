"""The calls of the Job service, over gRPC or HTTP, and the steps common to all of them:
authentication, limits, response size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from google.protobuf.message import Message

from inventory_job.auth.callers import Authenticator, Caller
from inventory_job.auth.policy import authorize
from inventory_job.deadline import Deadline
from inventory_job.errors import TooLarge
from inventory_job.observability.call_log import Metadata
from inventory_job.transport.limiter import LARGE_BYTES, Limiter, Permit


@dataclass(slots=True)
class Call:
    """The state of an authenticated call, until its response.

    `method` is the full name (`/package.Service/method`), `peer` the address of the client's end of
    the connection, `deadline` the client's, if any, `request_bytes` the size of the request.
    `write` serializes a response, on the event loop if the documents it is made from have at most
    `quick_bytes`, else in a thread. `permit` is set before the call runs.
    """

    method: str
    caller: Caller
    write: Callable[[Message], bytes]
    quick_bytes: int
    peer: str
    deadline: Deadline | None
    request_bytes: int = 0
    permit: Permit = field(init=False)

    @property
    def name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]

    async def answer(self, size: int, make: Callable[[], Message]) -> bytes:
        """The serialized response that `make` builds from documents of `size` BSON bytes."""
        if size <= self.quick_bytes:
            return self.write(make())
        return await self.permit.work(size, lambda: self.write(make()))


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

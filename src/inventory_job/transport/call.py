"""One call of the Job service, over gRPC or HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf.message import Message

from inventory_job.auth.callers import Caller
from inventory_job.deadline import Deadline
from inventory_job.transport.limiter import Permit


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

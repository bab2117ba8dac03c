"""One call of the Job service, whichever way it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from google.protobuf.message import Message

from inventory_job.auth.callers import Caller
from inventory_job.deadline import Deadline
from inventory_job.transport.limiter import Permit

Metadata: TypeAlias = "tuple[tuple[str, str | bytes], ...]"
"""Of a call, keys in lower case."""


@dataclass(slots=True)
class Call:
    """What an authenticated call carries, to its answer.

    `method` is the full name (`/package.Service/method`), `peer` the connection it came on,
    `deadline` the one that its client sets, if any, `request_bytes` the size of its request.
    `write` gives the bytes of an answer, on the event loop if that is at most `quick_bytes` as
    stored. `permit` is there once the call runs.
    """

    method: str
    metadata: Metadata
    caller: Caller
    write: Callable[[Message], bytes]
    quick_bytes: int
    peer: str = ""
    deadline: Deadline | None = None
    request_bytes: int = 0
    permit: Permit = field(init=False)

    @property
    def name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]

    async def answer(self, size: int, make: Callable[[], Message]) -> bytes:
        """The message that `make` makes of `size` bytes as stored, written."""
        if size <= self.quick_bytes:
            return self.write(make())
        return await self.permit.work(size, lambda: self.write(make()))

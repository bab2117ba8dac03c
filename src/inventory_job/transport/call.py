"""One call of the Job service, whichever way it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from google.protobuf.message import Message

from inventory_job.auth.callers import Caller
from inventory_job.deadline import Deadline
from inventory_job.transport.limiter import Permit

_Result = TypeVar("_Result")
Metadata: TypeAlias = "tuple[tuple[str, str | bytes], ...]"


@dataclass(slots=True)
class Call:
    """What a call carries, from its headers to its answer.

    `method` is the full name (`/package.Service/method`), `transport` grpc or http, `peer` the
    connection it came on, `deadline` the one that its client sets, if any. `write` gives the bytes
    of an answer, on the event loop if that is at most `quick_bytes` as stored. `caller` is there
    once the call is authenticated, `permit` once it runs.
    """

    method: str
    transport: str
    metadata: Metadata
    write: Callable[[Message], bytes]
    quick_bytes: int
    peer: str = ""
    deadline: Deadline | None = None
    caller: Caller | None = None
    permit: Permit | None = None

    async def work(self, size: int, work: Callable[[], _Result]) -> _Result:
        """What `work` gives on a message of `size` bytes, done as the permit has it."""
        if self.permit is None:
            raise ValueError("the call does not run")
        return await self.permit.work(size, work)

    async def answer(self, size: int, make: Callable[[], Message]) -> bytes:
        """The message that `make` makes of `size` bytes as stored, written."""
        if size <= self.quick_bytes:
            return self.write(make())
        return await self.work(size, lambda: self.write(make()))

    @property
    def name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]

    def texts(self) -> Iterator[tuple[str, str]]:
        """The metadata that are text, keys in lower case."""
        for key, value in self.metadata:
            if isinstance(value, str):
                yield key, value

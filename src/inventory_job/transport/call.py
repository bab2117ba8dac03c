"""One call of the Job service, whichever way it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from inventory_job.auth.callers import Caller
from inventory_job.deadline import Deadline

Metadata: TypeAlias = "tuple[tuple[str, str | bytes], ...]"


@dataclass(slots=True)
class Call:
    """What a call carries, from its headers to its answer.

    `method` is the full name (`/package.Service/method`), `transport` grpc or http, `peer` the
    connection it came on, `deadline` the one that its client sets, if any. `caller` is there once
    the call is authenticated.
    """

    method: str
    transport: str
    metadata: Metadata
    peer: str = ""
    deadline: Deadline | None = None
    caller: Caller | None = None

    @property
    def name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]

    def texts(self) -> Iterator[tuple[str, str]]:
        """The metadata that are text, keys in lower case."""
        for key, value in self.metadata:
            if isinstance(value, str):
                yield key, value

"""The bounds of a call, as the manager keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable

from inventory_job.transport.call import CallContext


class CallBounds:
    """A call may take the least of its own deadline and `most_seconds`."""

    def __init__(self, context: CallContext, most_seconds: float) -> None:
        self._context = context
        self._ends = context.due(most_seconds)

    def remaining(self) -> float:
        """Seconds left."""
        left = self._ends - time.monotonic()
        deadline = self._context.time_remaining()
        return left if deadline is None else min(left, deadline)

    def on_end(self, end: Callable[[], None]) -> bool:
        """Calls `end` when the call is over, however it ends; False when it already is."""
        return self._context.add_callback(end)

"""Answers on their way: they take memory until their clients take them, which nobody can make them
do. So who does not gets no more of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from inventory_job.errors import Overloaded
from inventory_job.transport.intake import AioContext

_SMALL_BYTES = 4096
"""So much a call takes anyhow."""


class Unsent:
    """Counts the bytes of answers that clients have not taken yet, in one event loop. With `most`
    of them in all, or a quarter of that on one connection, further calls are to be refused, before
    they begin if that is known then."""

    REASON = "too much of other answers has not been taken"

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_of_one = most // 4
        self._of: dict[str, int] = {}
        self.held = 0
        """How many bytes there are."""
        self.refused = 0
        """How many calls were refused because of them."""

    def is_full(self, context: AioContext) -> bool:
        """Whether there is no room for the answer to another call."""
        if self.held < self._most_of_one:
            return False
        return self.held >= self._most or self._of.get(context.peer(), 0) >= self._most_of_one

    def refuse(self) -> None:
        """Notes that there was no room for an answer."""
        self.refused += 1

    def hold(self, context: AioContext, size: int) -> None:
        """An answer of so many bytes is about to be sent; raises Overloaded if it must not be."""
        if size <= _SMALL_BYTES:
            return
        # Calls that begin together find that there is room, each of them.
        if self.is_full(context):
            self.refuse()
            raise Overloaded(reason=self.REASON)
        peer = context.peer()
        self.held += size
        self._of[peer] = self._of.get(peer, 0) + size
        sent: Any = partial(self._sent, peer, size)
        context.add_done_callback(sent)

    def _sent(self, peer: str, size: int, _context: AioContext) -> None:
        """The client has taken it, or is gone."""
        self.held -= size
        left = self._of[peer] - size
        if left:
            self._of[peer] = left
        else:
            del self._of[peer]

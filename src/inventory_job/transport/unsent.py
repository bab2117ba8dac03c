"""Answers on their way: they take memory until their clients take them, which nobody can make them
do. So who does not gets no more of them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from inventory_job.errors import Overloaded
from inventory_job.transport.intake import AioContext

_SMALL_BYTES = 4096
"""So much a call takes anyhow."""
_MOST_WAITING, _MOST_WAITING_OF_ONE = 512, 64
_PATIENCE_SECONDS = 5.0


class Unsent:
    """Counts the bytes of answers that clients have not taken yet, in one event loop.

    With `most` of them in all, or a quarter of that on one connection, further calls wait until
    there are less, for `patience` seconds at most. Connections are named as gRPC does (peer).
    """

    REASON = "too much of other answers has not been taken"
    """Why a call is refused that waited in vain."""

    def __init__(self, most: int, patience: float = _PATIENCE_SECONDS) -> None:
        self._most = most
        self._most_of_one = most // 4
        self._patience = patience
        self._of: dict[str, int] = {}
        self._waiting: dict[asyncio.Future[None], str] = {}
        self.held = 0
        """How many bytes there are."""
        self.refused = 0
        """How many calls were refused because of them."""

    @property
    def waiting(self) -> int:
        """How many calls wait for room."""
        return len(self._waiting)

    def is_full(self, peer: str) -> bool:
        """Whether there is no room for another answer on a connection; may be asked in any
        thread."""
        if self.held < self._most_of_one:
            return False
        return self.held >= self._most or self._of.get(peer, 0) >= self._most_of_one

    def is_crowded(self, peer: str) -> bool:
        """Whether there is no room for another answer on a connection, and none to wait for it."""
        if not self.is_full(peer):
            return False
        of_one = sum(other == peer for other in self._waiting.values())
        return self.waiting >= _MOST_WAITING or of_one >= _MOST_WAITING_OF_ONE

    async def room(self, peer: str) -> bool:
        """Waits until there is room for another answer; whether that took time. Raises Overloaded
        when none comes for too long, or too many wait."""
        if not self.is_full(peer):
            return False
        if self.is_crowded(peer):
            self.refuse()
            raise Overloaded(reason=self.REASON)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = peer
        try:
            async with asyncio.timeout(self._patience):
                await waiter
        except TimeoutError:
            self.refuse()
            raise Overloaded(reason=self.REASON) from None
        finally:
            del self._waiting[waiter]
        return True

    def refuse(self) -> None:
        """Notes that there was no room for an answer."""
        self.refused += 1

    def hold(self, context: AioContext, size: int) -> None:
        """An answer of so many bytes is about to be sent."""
        if size <= _SMALL_BYTES:
            return
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
        for waiter, waiting in self._waiting.items():
            if not waiter.done() and not self.is_full(waiting):
                waiter.set_result(None)

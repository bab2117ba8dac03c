"""How much of answers may be on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from inventory_job.errors import Overloaded
from inventory_job.transport.unsent import Unsent

MOST = 1_000_000


class Call:
    """Stands for the context of a call."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._callbacks: list[Callable[[Any], None]] = []

    def peer(self) -> str:
        return self._peer

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def end(self) -> None:
        for callback in self._callbacks:
            callback(self)


def call(peer: str) -> Any:
    return Call(peer)


def test_a_connection_may_have_a_quarter_on_its_way() -> None:
    unsent = Unsent(MOST)
    first = call("a")
    unsent.hold(first, MOST // 4)

    assert unsent.is_full("a")
    assert not unsent.is_full("b")
    first.end()
    assert not unsent.is_full("a")
    assert unsent.held == 0


def test_all_connections_may_have_the_whole() -> None:
    unsent = Unsent(MOST)
    for peer in "abcd":
        assert not unsent.is_full("e")
        unsent.hold(call(peer), MOST // 4)

    assert unsent.is_full("e")


def test_small_answers_are_not_counted() -> None:
    unsent = Unsent(MOST)
    unsent.hold(call("a"), 1000)

    assert unsent.held == 0


def test_who_waits_goes_on_when_there_is_room_on_its_connection() -> None:
    async def run() -> None:
        unsent = Unsent(MOST, patience=20)
        sent = {peer: call(peer) for peer in "ab"}
        for context in sent.values():
            unsent.hold(context, MOST // 4)
        waiting = {peer: asyncio.ensure_future(unsent.room(peer)) for peer in sent}
        assert not await unsent.room("c")
        await asyncio.sleep(0)

        sent["a"].end()

        assert await waiting["a"]
        assert not waiting["b"].done()
        sent["b"].end()
        assert await waiting["b"]
        assert unsent.refused == 0

    asyncio.run(run())


def test_who_waits_too_long_is_refused() -> None:
    async def run() -> None:
        unsent = Unsent(MOST, patience=0.01)
        context = call("a")
        unsent.hold(context, MOST)

        with pytest.raises(Overloaded, match="has not been taken"):
            await unsent.room("a")

        context.end()
        assert not await unsent.room("a")
        assert unsent.refused == 1

    asyncio.run(run())


def test_only_so_many_wait_on_one_connection() -> None:
    async def run() -> None:
        unsent = Unsent(MOST, patience=20)
        for peer in "ab":
            unsent.hold(call(peer), MOST // 4)
        waiting = []
        while not unsent.is_crowded("a"):
            waiting.append(asyncio.ensure_future(unsent.room("a")))
            await asyncio.sleep(0)

        with pytest.raises(Overloaded):
            await unsent.room("a")

        assert 10 < len(waiting) < 100
        assert not unsent.is_crowded("b")
        for waiter in waiting:
            waiter.cancel()
        await asyncio.wait(waiting)
        assert not unsent.is_crowded("a")
        assert unsent.waiting == 0

    asyncio.run(run())

"""How much of answers may be on its way."""

from __future__ import annotations

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

    assert unsent.is_full(call("a"))
    assert not unsent.is_full(call("b"))
    first.end()
    assert not unsent.is_full(call("a"))
    assert unsent.held == 0


def test_calls_that_found_room_together_find_it_taken() -> None:
    unsent = Unsent(MOST)
    together = [call("a") for _ in range(4)]
    assert not any(map(unsent.is_full, together))

    unsent.hold(together[0], MOST // 4)
    for later in together[1:]:
        with pytest.raises(Overloaded, match="has not been taken"):
            unsent.hold(later, MOST // 4)

    assert unsent.held == MOST // 4
    assert unsent.refused == 3


def test_all_connections_may_have_the_whole() -> None:
    unsent = Unsent(MOST)
    for peer in "abcd":
        unsent.hold(call(peer), MOST // 4)

    with pytest.raises(Overloaded):
        unsent.hold(call("e"), MOST // 4)


def test_a_small_answer_always_has_room() -> None:
    unsent = Unsent(MOST)
    unsent.hold(call("a"), MOST)

    unsent.hold(call("a"), 1000)

    assert unsent.held == MOST

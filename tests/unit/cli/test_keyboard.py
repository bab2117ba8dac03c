"""The keys that end and move a view."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from inventory_job.cli.client.keyboard import QUIT, Keyboard, keyboard


def test_a_ctrl_c_that_some_callback_swallowed_is_seen_at_the_next_look() -> None:
    before = signal.getsignal(signal.SIGINT)
    with keyboard() as keys:
        assert not keys.wait(0.0)
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            keys.wait(5.0)
        assert keys.wait(0.0) == QUIT

    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def typing() -> Iterator[tuple[Keyboard, int]]:
    """A keyboard, and the end to write to what is typed."""
    reading, writing = os.pipe()
    try:
        yield Keyboard(reading, lambda: False), writing
    finally:
        os.close(reading)
        with suppress(OSError):
            os.close(writing)


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"q", [QUIT]),
        (b"Q", [QUIT]),
        (b"\x1b[A\x1bOB", ["up", "down"]),
        (b"\x1b[5~\x1b[6~ ", ["page up", "page down", "page down"]),
        (b"\x1b[H\x1b[4~gG", ["home", "end", "home", "end"]),
        (b"sx\xc3", ["s", "x", "\ufffd"]),
        (b"\x1b[1;5Cq", ["\x1b[1;5C", QUIT]),
    ],
)
def test_keys_come_in_their_order_by_their_names(
    typing: tuple[Keyboard, int], typed: bytes, keys: list[str]
) -> None:
    pressed, writing = typing
    os.write(writing, typed)

    assert [pressed.wait(5.0) for _ in keys] == keys
    assert pressed.wait(0.0) == ""


def test_a_key_that_has_been_pressed_is_not_waited_for(typing: tuple[Keyboard, int]) -> None:
    pressed, writing = typing
    os.write(writing, b"s")

    assert pressed.wait(0.0) == "s"


def test_the_end_of_standard_input_ends_a_view(typing: tuple[Keyboard, int]) -> None:
    pressed, writing = typing
    os.close(writing)

    assert pressed.wait(5.0) == QUIT

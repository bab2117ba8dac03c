"""The keys that end a view."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from inventory_job.cli.client.keyboard import quit_key


def test_a_ctrl_c_that_some_callback_swallowed_is_seen_at_the_next_look() -> None:
    before = signal.getsignal(signal.SIGINT)
    with quit_key() as pressed:
        assert not pressed(0.0)
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            pressed(5.0)
        assert pressed(0.0)

    assert signal.getsignal(signal.SIGINT) is before

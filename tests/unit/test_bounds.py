"""How long the work for a call may take."""

from __future__ import annotations

import time

import pytest

from inventory_job.transport.bounds import CallBounds
from inventory_job.transport.call import CallContext


def test_work_that_is_begun_anew_has_no_more_time_than_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    call = CallContext(())
    first = CallBounds(call, 1.0)
    now = 100.75

    again = CallBounds(call, 1.0)

    assert again.remaining() == first.remaining() == 0.25


def test_the_deadline_of_the_call_may_be_sooner() -> None:
    assert CallBounds(CallContext((), 0.5), 1.0).remaining() <= 0.5


@pytest.mark.parametrize(
    ("seconds", "expected"), [(None, False), (10.0, False), (0.02, True), (-1.0, True)]
)
def test_a_call_whose_client_gives_up_at_the_deadline_has_run_out(
    seconds: float | None, expected: bool
) -> None:
    assert CallContext((), seconds).has_run_out is expected

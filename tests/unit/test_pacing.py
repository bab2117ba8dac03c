"""Pauses that grow while something fails."""

from __future__ import annotations

from inventory_job.auth.pacing import BackOff


def test_calls_that_fail_together_count_as_one_failure() -> None:
    now = 0.0
    back_off = BackOff(lambda: now, first=0.5)
    attempts = [back_off.begin() for _ in range(8)]
    for attempt in attempts:
        back_off.failed(attempt)
    now = 0.5

    assert back_off.is_time()


def test_a_failure_from_before_an_outage_lets_no_second_probe_through() -> None:
    now = 0.0
    back_off = BackOff(lambda: now, first=0.5)
    first, late = back_off.begin(), back_off.begin()
    back_off.failed(first)
    now = 0.5
    probe = back_off.begin()

    back_off.failed(late)
    now = 1.5

    assert not back_off.is_time()
    back_off.failed(probe)
    now = 2.5
    assert back_off.is_time()

"""Pauses that grow while something fails; a dictionary that does not grow."""

from __future__ import annotations

from inventory_job.auth.rate_limits import BackOff, BoundedDict


def test_calls_that_fail_together_count_as_one_failure() -> None:
    now = 0.0
    back_off = BackOff(lambda: now)
    for _ in range(8):
        back_off.begin()
    for _ in range(8):
        back_off.failed(now)
    assert not back_off.is_time()
    now = 0.5

    assert back_off.is_time()


def test_a_failure_from_before_an_outage_lets_no_second_attempt_through() -> None:
    now = 0.0
    back_off = BackOff(lambda: now)
    back_off.begin()
    back_off.begin()
    back_off.failed(now)
    now = 0.5
    back_off.begin()

    back_off.failed(0.0)
    assert not back_off.is_time()
    now = 1.5
    assert back_off.is_time()


def test_a_failure_of_an_attempt_from_before_a_success_begins_no_outage() -> None:
    now = 0.0
    back_off = BackOff(lambda: now)
    back_off.begin()
    now = 1.0
    back_off.succeeded()

    back_off.failed(0.0)

    assert back_off.is_time()
    back_off.failed(1.0)
    assert not back_off.is_time()


def test_a_bounded_dictionary_drops_what_was_set_longest_ago() -> None:
    bounded: BoundedDict[str, int] = BoundedDict(2)

    for number, key in enumerate("abac"):
        bounded[key] = number

    assert dict(bounded) == {"a": 2, "c": 3}

"""Look-ups at a remote directory that is slow: who waits, how long, and how many."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from itertools import islice

import pytest

from inventory_job.auth.lookups import LookupLimits, Waiters
from inventory_job.errors import RequestTimeout
from tests.directory import Directory, Gate


def test_nobody_waits_for_a_key_that_is_looked_for_unseen() -> None:
    directory = Directory(LookupLimits(burst=1, per_second=0.0), a="1")
    directory.find("a")
    directory.now += 5
    gate = Gate(directory)

    assert directory.admits("a") is None
    assert gate.entered.acquire(timeout=10)
    assert directory.admits("a") is None
    gate.opened.set()
    directory.rest()


def test_while_one_tries_after_an_outage_the_others_do_not_wait() -> None:
    directory = Directory(a="1", b="2")
    directory.is_down = True
    assert directory.is_refused("a")
    directory.is_down = False
    directory.now += 1
    others: list[bool] = []
    directory.meanwhile = lambda: others.append(directory.is_refused("b"))

    assert directory.find("a") == "1"
    assert others == [True]


def test_those_who_want_the_same_wait_for_one_call() -> None:
    directory = Directory(waiters=Waiters(8), a="1")
    gate = Gate(directory)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(directory.find, "a") for _ in range(8)]
        assert gate.entered.acquire(timeout=10)
        gate.opened.set()

        assert [answer.result(10) for answer in answers] == ["1"] * 8
    assert directory.asked == ["a"]


def test_a_slow_call_holds_only_so_many_threads() -> None:
    directory = Directory(waiters=Waiters(2), a="1")
    gate = Gate(directory)
    with ThreadPoolExecutor(4) as pool:
        slow = pool.submit(directory.find, "a")
        assert gate.entered.acquire(timeout=10)
        directory.now += 0.3
        others = [pool.submit(directory.is_refused, "a") for _ in range(3)]

        first_to_end = list(islice(as_completed(others, 5), 2))
        gate.opened.set()

        assert [each.result() for each in first_to_end] == [True, True]
        assert sorted(each.result(10) for each in others) == [False, True, True]
        assert slow.result(10) == "1"
    assert directory.asked == ["a"]


def test_slow_calls_of_several_kinds_hold_only_so_many_threads_together() -> None:
    waiters = Waiters(2)
    kinds = [Directory(waiters=waiters, slow="1", known="1") for _ in range(2)]
    gates = []
    with ThreadPoolExecutor(3) as pool:
        slow = []
        for directory in kinds:
            directory.find("known")
            gates.append(Gate(directory))
            slow.append(pool.submit(directory.find, "slow"))
            assert gates[-1].entered.acquire(timeout=10)
            # Whoever caused the call is counted before others are answered.
            directory.find("known")
            directory.now += 0.3

        late = pool.submit(kinds[0].is_refused, "slow")
        ended = wait([late], 5).done
        for gate in gates:
            gate.opened.set()

        assert ended
        assert late.result() is True
        assert [each.result(10) for each in slow] == ["1", "1"]


def test_a_call_that_is_quick_is_waited_for_however_many_threads_it_holds() -> None:
    directory = Directory(LookupLimits(patience_seconds=10.0), Waiters(1), a="1")
    gate = Gate(directory)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(directory.find, "a")
        assert gate.entered.acquire(timeout=10)
        others = [pool.submit(directory.find, "a") for _ in range(3)]
        assert not wait(others, 0.1).done
        gate.opened.set()

        assert [answer.result(10) for answer in (first, *others)] == ["1"] * 4


def test_threads_that_waited_are_free_to_wait_again() -> None:
    directory = Directory(waiters=Waiters(3), a="1")
    for _ in range(3):
        gate = Gate(directory)
        directory.now += 301
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(directory.find, "a")
            assert gate.entered.acquire(timeout=10)
            directory.now += 1
            others = [pool.submit(directory.find, "a") for _ in range(2)]
            assert not wait(others, 0.1).done
            gate.opened.set()

            assert [answer.result(10) for answer in (first, *others)] == ["1"] * 3


def test_who_came_after_a_call_was_made_waits_for_it_and_has_another_made() -> None:
    directory = Directory(a="1")
    directory.find("a")
    directory.now += 10
    gate = Gate(directory)
    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(directory.admits, "a")
        assert gate.entered.acquire(timeout=10)
        directory.now += 0.1
        late = pool.submit(directory.admits, "a")
        assert not wait([late], 0.1).done
        gate.opened.set()

        assert [early.result(10), late.result(10)] == [False, False]
    assert directory.asked == ["a"] * 3


def test_who_came_after_a_call_was_made_takes_its_answer_if_it_fits() -> None:
    directory = Directory(a="1")
    directory.find("a")
    directory.now += 10
    gate = Gate(directory)
    directory.answers["a"] = "2"
    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(directory.admits, "a", "2")
        assert gate.entered.acquire(timeout=10)
        directory.now += 0.1
        late = pool.submit(directory.admits, "a", "2")
        assert not wait([late], 0.1).done
        gate.opened.set()

        assert [early.result(10), late.result(10)] == [True, True]
    assert directory.asked == ["a"] * 2


def test_nobody_waits_beyond_the_deadline_of_a_call() -> None:
    directory = Directory(a="1")
    gate = Gate(directory)

    with pytest.raises(RequestTimeout):
        directory.lookups.find("a", until=directory.now + 0.05)
    with pytest.raises(RequestTimeout):
        directory.lookups.find("a", until=directory.now - 1)
    gate.opened.set()

    assert directory.find("a") == "1"
    assert directory.asked == ["a"]


def test_those_who_wait_for_a_call_that_fails_are_told_so() -> None:
    directory = Directory()
    directory.is_down = True
    gate = Gate(directory)
    with ThreadPoolExecutor(4) as pool:
        refused = [pool.submit(directory.is_refused, "a") for _ in range(4)]
        assert gate.entered.acquire(timeout=10)
        gate.opened.set()

        assert [each.result(10) for each in refused] == [True] * 4
    assert directory.asked == ["a"]


def test_those_who_come_at_once_are_asked_for_one_after_the_other() -> None:
    answers = dict.fromkeys("abcdefgh", "1")
    directory = Directory(LookupLimits(at_a_time=2, patience_seconds=10.0), Waiters(3), **answers)
    gate = Gate(directory)
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(directory.find, key) for key in answers]
        for _ in range(2):
            assert gate.entered.acquire(timeout=10)
        assert not wait(found, 0.1).done
        assert len(directory.asked) == 2
        gate.opened.set()

        assert [each.result(10) for each in found] == ["1"] * 8
    assert sorted(directory.asked) == sorted(answers)


def test_those_who_wait_for_their_turn_with_the_same_wait_for_one_call() -> None:
    limits = LookupLimits(at_a_time=1, patience_seconds=10.0)
    directory = Directory(limits, a="1", b="1")
    gate = Gate(directory)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(directory.find, "a")
        assert gate.entered.acquire(timeout=10)
        others = [pool.submit(directory.find, "b") for _ in range(3)]
        assert not wait(others, 0.1).done
        gate.opened.set()

        assert [each.result(10) for each in (first, *others)] == ["1"] * 4
    assert directory.asked == ["a", "b"]


def test_a_bad_token_waits_for_its_turn_too() -> None:
    """As one of an unknown domain does."""
    directory = Directory(LookupLimits(at_a_time=1, patience_seconds=10.0), known="1")
    directory.find("known")
    directory.now += 10
    gate = Gate(directory)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(directory.find, "a")
        assert gate.entered.acquire(timeout=10)
        bad = pool.submit(directory.admits, "known")
        assert not wait([bad], 0.1).done
        gate.opened.set()

        assert first.result(10) is None
        assert bad.result(10) is False
    assert directory.asked == ["known", "a", "known"]


def test_nobody_waits_for_a_turn_beyond_the_deadline_of_a_call() -> None:
    directory = Directory(LookupLimits(at_a_time=1, patience_seconds=10.0), a="1")
    gate = Gate(directory)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(directory.find, "a")
        assert gate.entered.acquire(timeout=10)

        with pytest.raises(RequestTimeout):
            directory.lookups.find("b", until=directory.now + 0.05)
        gate.opened.set()

        assert first.result(10) == "1"


def test_only_so_many_wait_for_their_turn_behind_slow_calls() -> None:
    directory = Directory(LookupLimits(at_a_time=1, patience_seconds=5.0), Waiters(2), a="1")
    gate = Gate(directory)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(directory.find, "a")
        assert gate.entered.acquire(timeout=10)
        directory.now += 6
        others = [pool.submit(directory.is_refused, key) for key in "bc"]

        refused = next(as_completed(others, 3)).result()
        still_waiting = [each for each in others if not each.done()]
        gate.opened.set()

        assert refused is True
        assert [each.result(10) for each in still_waiting] == [False]
        assert first.result(10) == "1"


def test_a_slow_directory_takes_only_so_many_threads() -> None:
    directory = Directory(LookupLimits(at_a_time=2), known="1")
    directory.find("known")
    directory.now += 301
    gate = Gate(directory)
    with ThreadPoolExecutor(8) as pool:
        waiting: list[Future[bool]] = []
        for key in "ab":
            waiting.append(pool.submit(directory.is_refused, key))
            assert gate.entered.acquire(timeout=10)

        assert directory.is_refused("c")
        renewed = pool.submit(directory.find, "known")
        assert gate.entered.acquire(timeout=10)
        gate.opened.set()

        assert [each.result(10) for each in waiting] == [False, False]
        assert renewed.result(10) == "1"


def test_slow_renewals_hold_only_so_many_threads() -> None:
    known = dict.fromkeys("abcd", "1")
    directory = Directory(LookupLimits(renewals_at_a_time=3), Waiters(2), **known)
    for key in known:
        directory.find(key)
    directory.now += 301
    gate = Gate(directory)
    with ThreadPoolExecutor(4) as pool:
        renewed = [pool.submit(directory.is_refused, key) for key in "ab"]
        for _ in renewed:
            assert gate.entered.acquire(timeout=10)

        assert directory.is_refused("c")
        assert gate.entered.acquire(timeout=10)
        assert directory.is_refused("d")
        gate.opened.set()

        assert [each.result(10) for each in renewed] == [False, False]
    directory.rest()
    assert sorted(directory.asked) == sorted("abcdabc")

"""Look-ups at a remote directory: cached, few, and none while it is down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from itertools import islice, pairwise

import pytest

from inventory_job.auth.lookups import BackOff, LookupLimits, Lookups, Unanswered
from inventory_job.errors import Unavailable


class Directory:
    """A remote directory at a time of the test's; remembers what it was asked."""

    def __init__(self, limits: LookupLimits | None = None, **answers: str) -> None:
        self.now = 1000.0
        self.answers = answers
        self.asked: list[str] = []
        self.is_down = False
        self.meanwhile: Callable[[], None] = lambda: None
        self.lookups = Lookups(self._fetch, limits or LookupLimits(), lambda: self.now)

    def _fetch(self, key: str) -> str | None:
        self.asked.append(key)
        self.meanwhile()
        if self.is_down:
            raise Unavailable("the identity service cannot be reached")
        return self.answers.get(key)

    def find(self, key: str) -> str | None:
        return self.lookups.find(key)

    def find_newer(self, key: str) -> str | None:
        return self.lookups.find_newer(key, since=self.now)

    def is_refused(self, key: str) -> bool:
        try:
            self.lookups.find(key)
        except Unavailable:
            return True
        return False


def test_an_answer_is_kept_for_its_time() -> None:
    directory = Directory(a="1")

    assert [directory.find("a") for _ in range(3)] == ["1", "1", "1"]
    directory.now += 299.9
    assert directory.find("a") == "1"
    assert directory.asked == ["a"]
    directory.answers["a"] = "2"
    directory.now += 0.2

    assert directory.find("a") == "2"
    assert directory.asked == ["a", "a"]


def test_that_there_is_nothing_is_kept_for_a_moment() -> None:
    directory = Directory()

    assert directory.find("a") is None
    assert directory.find("a") is None
    assert directory.asked == ["a"]
    directory.now += 1.1
    directory.answers["a"] = "1"

    assert directory.find("a") == "1"


def test_a_newer_answer_is_asked_for_at_once_and_then_once_in_a_while() -> None:
    directory = Directory(a="1")
    directory.find("a")
    directory.now += 0.01
    directory.answers["a"] = "2"

    assert directory.find_newer("a") == "2"
    directory.answers["a"] = "3"
    directory.now += 0.9
    assert directory.find_newer("a") == "2"
    directory.now += 0.2
    assert directory.find_newer("a") == "3"
    assert directory.find("a") == "3"


def test_an_answer_asked_for_since_then_is_new_enough() -> None:
    directory = Directory(a="1")
    began = directory.now
    directory.find("a")

    assert directory.lookups.find_newer("a", since=began) == "1"
    assert directory.asked == ["a"]


@pytest.mark.parametrize("known", [True, False])
def test_bad_tokens_cause_the_same_calls_for_known_and_unknown_domains(known: bool) -> None:
    directory = Directory()
    if known:
        directory.answers["a"] = "1"
        directory.find("a")
        directory.asked.clear()

    for _ in range(100):
        directory.now += 0.001
        directory.find("a")
        directory.find_newer("a")

    assert directory.asked == ["a"]


def test_look_ups_of_the_unknown_are_let_through_in_a_burst_and_then_one_by_one() -> None:
    directory = Directory(LookupLimits(burst=3, per_second=2.0))

    assert [directory.is_refused(key) for key in "abcde"] == [False, False, False, True, True]
    directory.now += 0.5
    assert [directory.is_refused(key) for key in "fg"] == [False, True]
    assert len(directory.asked) == 4


def test_strangers_do_not_keep_the_known_from_being_renewed() -> None:
    directory = Directory(LookupLimits(burst=2, per_second=0.0), a="1")
    directory.find("a")
    assert not directory.is_refused("x")
    assert directory.is_refused("y")
    directory.now += 301

    assert directory.find("a") == "1"


def test_without_tokens_left_even_a_known_key_cannot_be_told_bad() -> None:
    directory = Directory(LookupLimits(burst=1, per_second=0.0), a="1")
    directory.find("a")
    directory.now += 5

    with pytest.raises(Unavailable, match="too many look-ups"):
        directory.find_newer("a")


def test_only_so_many_answers_are_kept() -> None:
    directory = Directory(LookupLimits(entries=2), a="1", b="2", c="3")

    for key in "abcba":
        directory.find(key)

    assert directory.asked == ["a", "b", "c", "a"]


def test_while_the_directory_is_down_it_is_asked_with_growing_pauses() -> None:
    directory = Directory()
    directory.is_down = True
    tried_at = []

    for step in range(400):
        directory.now = 1000.0 + step / 10
        before = len(directory.asked)
        assert directory.is_refused("a")
        if len(directory.asked) > before:
            tried_at.append(directory.now - 1000.0)

    pauses = [round(b - a, 1) for a, b in pairwise(tried_at)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_what_is_cached_is_answered_while_the_directory_is_down() -> None:
    directory = Directory(a="1")
    directory.find("a")
    directory.is_down = True
    assert directory.is_refused("b")

    assert directory.find("a") == "1"


def test_after_an_outage_everything_is_as_before() -> None:
    directory = Directory(a="1", b="2")
    directory.is_down = True
    assert directory.is_refused("a")
    directory.is_down = False
    assert directory.is_refused("a")
    directory.now += 0.6

    assert directory.find("a") == "1"
    assert directory.find("b") == "2"


def test_look_ups_refused_during_an_outage_take_no_tokens() -> None:
    directory = Directory(LookupLimits(burst=2, per_second=0.0), a="1")
    directory.is_down = True
    for _ in range(10):
        assert directory.is_refused("a")
    directory.is_down = False
    directory.now += 1

    assert directory.find("a") == "1"


def test_calls_that_fail_together_count_as_one_failure() -> None:
    now = 0.0
    back_off = BackOff(lambda: now, first=0.5)
    for _ in range(8):
        back_off.begin()
    for _ in range(8):
        back_off.failed()
    now = 0.5

    assert back_off.is_time()


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


class Gate:
    """Holds calls to a directory until it is opened."""

    def __init__(self, directory: Directory) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        directory.meanwhile = self.pass_through

    def pass_through(self) -> None:
        self.entered.release()
        assert self.opened.wait(10)


def test_those_who_want_the_same_wait_for_one_call() -> None:
    directory = Directory(LookupLimits(held_threads=8), a="1")
    gate = Gate(directory)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(directory.find, "a") for _ in range(8)]
        assert gate.entered.acquire(timeout=10)
        gate.opened.set()

        assert [answer.result(10) for answer in answers] == ["1"] * 8
    assert directory.asked == ["a"]


def test_a_slow_call_holds_only_so_many_threads() -> None:
    directory = Directory(LookupLimits(held_threads=2), a="1")
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


def test_a_call_that_is_quick_is_waited_for_however_many_threads_it_holds() -> None:
    directory = Directory(LookupLimits(held_threads=1, patience_seconds=10.0), a="1")
    gate = Gate(directory)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(directory.find, "a")
        assert gate.entered.acquire(timeout=10)
        others = [pool.submit(directory.find, "a") for _ in range(3)]
        assert not wait(others, 0.1).done
        gate.opened.set()

        assert [answer.result(10) for answer in (first, *others)] == ["1"] * 4


def test_threads_that_waited_are_free_to_wait_again() -> None:
    directory = Directory(LookupLimits(held_threads=3, again_seconds=0.0), a="1")
    for _ in range(3):
        gate = Gate(directory)
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(directory.find_newer, "a")
            assert gate.entered.acquire(timeout=10)
            directory.now += 1
            others = [pool.submit(directory.find_newer, "a") for _ in range(2)]
            assert not wait(others, 0.1).done
            gate.opened.set()

            assert [answer.result(10) for answer in (first, *others)] == ["1"] * 3


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


def test_a_question_without_an_answer_is_no_outage_and_its_repetition_no_renewal() -> None:
    directory = Directory(LookupLimits(burst=3, per_second=0.0), a="1", b="2")
    directory.find("a")
    directory.now += 301

    def fail() -> None:
        raise Unanswered("the identity service has no answer")

    directory.meanwhile = fail
    assert [directory.is_refused("a") for _ in range(5)] == [True] * 5
    assert directory.asked == ["a"] * 4
    directory.meanwhile = lambda: None
    with pytest.raises(Unavailable, match="too many"):
        directory.find("b")


def test_a_fresh_answer_outlives_the_failure_to_get_a_newer_one() -> None:
    directory = Directory(a="1")
    assert directory.find("a") == "1"

    def unanswered() -> None:
        raise Unanswered("the identity service has no answer")

    directory.now += 10
    directory.meanwhile = unanswered
    with pytest.raises(Unanswered):
        directory.find_newer("a")

    assert directory.find("a") == "1"


def test_a_bug_in_a_fetch_reaches_the_caller_and_blocks_nothing() -> None:
    directory = Directory(a="1")

    def fail() -> None:
        directory.meanwhile = lambda: None
        raise ZeroDivisionError

    directory.meanwhile = fail
    with pytest.raises(ZeroDivisionError):
        directory.find("a")
    directory.now += 1

    assert directory.find("a") == "1"

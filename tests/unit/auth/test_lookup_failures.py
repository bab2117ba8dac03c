"""Look-ups at a remote directory that is down, or has no answer to some questions."""

from __future__ import annotations

from itertools import pairwise

import pytest

from inventory_job.auth.lookups import LookupLimits, Unanswered
from inventory_job.errors import Unavailable
from tests.support.directory import Directory
from tests.support.loops import in_loop


@in_loop
async def test_while_the_directory_is_down_it_is_tried_with_growing_pauses() -> None:
    directory = Directory()
    directory.is_down = True
    tried_at = []

    for step in range(400):
        directory.now = 1000.0 + step / 10
        before = len(directory.fetched)
        assert await directory.is_refused("a")
        if len(directory.fetched) > before:
            tried_at.append(directory.now - 1000.0)

    pauses = [round(b - a, 1) for a, b in pairwise(tried_at)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@in_loop
async def test_what_is_cached_is_answered_while_the_directory_is_down() -> None:
    directory = Directory(a="1")
    await directory.find("a")
    directory.is_down = True
    assert await directory.is_refused("b")

    assert await directory.find("a") == "1"


@in_loop
async def test_after_an_outage_everything_is_as_before() -> None:
    directory = Directory(a="1", b="2")
    directory.is_down = True
    assert await directory.is_refused("a")
    directory.is_down = False
    assert await directory.is_refused("a")
    directory.now += 0.6

    assert await directory.find("a") == "1"
    assert await directory.find("b") == "2"


@in_loop
async def test_look_ups_refused_during_an_outage_take_no_tokens() -> None:
    directory = Directory(LookupLimits(burst=2, per_second=0.0), a="1")
    directory.is_down = True
    for _ in range(10):
        assert await directory.is_refused("a")
    directory.is_down = False
    directory.now += 1

    assert await directory.find("a") == "1"


@in_loop
async def test_a_question_without_an_answer_is_no_outage_and_its_repetition_no_renewal() -> None:
    directory = Directory(LookupLimits(burst=3, per_second=0.0), a="1", b="2")
    await directory.find("a")
    directory.now += 301

    async def fail() -> None:
        raise Unanswered("the identity service has no answer")

    directory.meanwhile = fail
    assert [await directory.is_refused("a") for _ in range(5)] == [True] * 5
    assert directory.fetched == ["a"] * 4
    directory.meanwhile = Directory().meanwhile
    with pytest.raises(Unavailable, match="too many"):
        await directory.find("b")


def failing(directory: Directory, *keys: str) -> None:
    """Has the directory fail on questions for these keys."""

    async def fail() -> None:
        if directory.fetched[-1] in keys:
            raise Unanswered("the identity service has no answer")

    directory.meanwhile = fail


@in_loop
async def test_a_fetch_that_fails_is_repeated_as_rarely_as_any_other() -> None:
    directory = Directory(a="1", b="2")
    failing(directory, "a")

    for _ in range(400):
        directory.now += 0.01
        assert await directory.is_refused("a")

    assert len(directory.fetched) <= 3 + 4
    assert await directory.find("b") == "2"


@in_loop
async def test_what_could_not_be_renewed_is_fetched_as_rarely_as_any_other() -> None:
    directory = Directory(a="1")
    await directory.find("a")
    directory.now += 301
    failing(directory, "a")
    directory.fetched.clear()

    for _ in range(100):
        directory.now += 0.01
        assert await directory.is_refused("a")

    assert len(directory.fetched) <= 1 + 3 + 1


@in_loop
async def test_only_so_many_questions_without_an_answer_are_kept_in_mind() -> None:
    directory = Directory(LookupLimits(entries=2, burst=10))
    failing(directory, *"abc")

    for key in "aaabc":
        assert await directory.is_refused(key)
    directory.fetched.clear()

    assert await directory.is_refused("a")
    assert directory.fetched == ["a"]


@in_loop
async def test_a_fresh_answer_outlives_the_failure_to_get_a_newer_one() -> None:
    directory = Directory(a="1")
    assert await directory.find("a") == "1"

    async def unanswered() -> None:
        raise Unanswered("the identity service has no answer")

    directory.now += 10
    directory.meanwhile = unanswered
    with pytest.raises(Unanswered):
        await directory.lookups.find("a", directory.now, "1")

    assert await directory.find("a") == "1"


@in_loop
async def test_a_bug_in_a_fetch_reaches_the_caller_and_blocks_nothing() -> None:
    directory = Directory(a="1")

    async def fail() -> None:
        directory.meanwhile = Directory().meanwhile
        raise ZeroDivisionError

    directory.meanwhile = fail
    with pytest.raises(ZeroDivisionError):
        await directory.find("a")
    directory.now += 1

    assert await directory.find("a") == "1"

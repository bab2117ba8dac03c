"""Look-ups at a remote directory: cached, and few, however many ask."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory_job.auth.lookups import LookupLimits
from inventory_job.errors import Unavailable
from tests.support.directory import Directory
from tests.support.loops import in_loop


@in_loop
async def test_an_answer_is_kept_for_its_time() -> None:
    directory = Directory(a="1")

    assert [await directory.find("a") for _ in range(3)] == ["1", "1", "1"]
    directory.now += 299.9
    assert await directory.find("a") == "1"
    assert directory.fetched == ["a"]
    directory.answers["a"] = "2"
    directory.now += 0.2

    assert await directory.find("a") == "2"
    assert directory.fetched == ["a", "a"]


@in_loop
async def test_that_there_is_nothing_is_kept_for_a_moment() -> None:
    directory = Directory()

    assert await directory.find("a") is None
    assert await directory.find("a") is None
    assert directory.fetched == ["a"]
    directory.now += 1.1
    directory.answers["a"] = "1"

    assert await directory.find("a") == "1"


@in_loop
async def test_a_newer_answer_is_fetched_a_few_times_in_a_row_and_then_once_in_a_while() -> None:
    directory = Directory(a="1")
    await directory.find("a")
    directory.now += 10

    for value in "234":
        directory.now += 0.01
        directory.answers["a"] = value
        assert await directory.admits("a", value) is True
    directory.now += 0.01
    directory.answers["a"] = "5"
    assert await directory.admits("a", "5") is None
    directory.now += 1.1

    assert await directory.admits("a", "5") is True
    assert await directory.find("a") == "5"


@in_loop
async def test_a_token_of_a_new_key_is_never_refused_for_want_of_look_ups() -> None:
    """Bad tokens have used them up; the new key was there all the time."""
    directory = Directory(a="1")
    await directory.find("a")
    for _ in range(20):
        await directory.admits("a")
    directory.answers["a"] = "2"
    directory.now += 0.01
    admitted = []

    for _ in range(13):
        admitted.append(await directory.admits("a", "2"))
        directory.now += 0.1

    assert False not in admitted
    assert admitted[-1] is True


@in_loop
async def test_an_answer_fetched_since_then_is_new_enough() -> None:
    directory = Directory(a="1")
    began = directory.now
    await directory.find("a")

    assert await directory.lookups.find("a", began, "1") == "1"
    assert directory.fetched == ["a"]


@in_loop
async def test_an_answer_settles_what_was_there_before_it_for_a_moment_only() -> None:
    directory = Directory(LookupLimits(burst=1, per_second=0.0), a="1")
    began = directory.now
    await directory.find("a")
    directory.now += 1.1

    with pytest.raises(Unavailable):
        await directory.lookups.find("a", began, "1")


@in_loop
async def test_an_answer_that_others_got_meanwhile_is_tried_without_asking() -> None:
    directory = Directory(LookupLimits(burst=1, per_second=0.0), a="2")
    await directory.find("a")
    directory.now += 5

    assert await directory.lookups.find("a", directory.now, "1") == "2"
    assert directory.fetched == ["a"]


@pytest.mark.parametrize("known", [True, False])
@in_loop
async def test_bad_tokens_cause_the_same_calls_for_known_and_unknown_domains(known: bool) -> None:
    directory = Directory()
    if known:
        directory.answers["a"] = "1"
        await directory.find("a")
        directory.now += 10
        directory.fetched.clear()

    admitted = []
    for _ in range(100):
        directory.now += 0.001
        admitted.append(await directory.admits("a"))

    assert admitted == [False] * 3 + [None] * 97
    assert directory.fetched == ["a"] * 3


STEPS = {"a bad token": 0.0, "a moment": 0.1, "a second": 1.0, "the answer runs out": 301.0}


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*STEPS, "strangers"]), max_size=30))
@in_loop
async def test_whether_a_domain_is_known_cannot_be_seen_from_outside(steps: list[str]) -> None:
    limits = LookupLimits(burst=5, per_second=1.0)
    known, unknown = Directory(limits, a="1"), Directory(limits)
    assert await known.admits("a", "1") is True
    assert await unknown.admits("a") is False

    for step in ["a second", *steps, "strangers", "a bad token"]:
        admitted = []
        for directory in (known, unknown):
            directory.now += STEPS.get(step, 0.0)
            if step == "strangers":
                await directory.drain()
            admitted.append(await directory.admits("a") if step == "a bad token" else None)
            await directory.rest()
        assert admitted[0] == admitted[1]


@in_loop
async def test_a_key_that_has_run_out_is_no_oracle_when_strangers_have_used_up_the_look_ups() -> (
    None
):
    directory = Directory(LookupLimits(burst=5, per_second=0.0), known="1")
    await directory.find("known")
    directory.now += 301
    await directory.drain()

    assert await directory.admits("known") is None
    assert await directory.admits("unknown") is None
    assert await directory.admits("known", "1") is True


@pytest.mark.parametrize("keys", [1, 5000])
@in_loop
async def test_10_000_bad_tokens_cause_tens_of_calls_and_the_known_come_in_meanwhile(
    keys: int,
) -> None:
    directory = Directory(known="1")
    await directory.find("known")

    for number in range(10_000):
        directory.now += 0.0005
        assert not await directory.admits(["known", str(number)][keys > 1 and number % keys > 0])
        if number % 100 == 0:
            assert await directory.admits("known", "1") is True

    await directory.rest()
    assert len(directory.fetched) <= 1 + 20 + 5 * 5 + 5


@in_loop
async def test_look_ups_of_the_unknown_are_let_through_in_a_burst_and_then_one_by_one() -> None:
    directory = Directory(LookupLimits(burst=3, per_second=2.0))

    assert [await directory.is_refused(key) for key in "abcde"] == [False, False, False, True, True]
    directory.now += 0.5
    assert [await directory.is_refused(key) for key in "fg"] == [False, True]
    assert len(directory.fetched) == 4


@in_loop
async def test_strangers_do_not_keep_the_known_from_being_renewed() -> None:
    directory = Directory(LookupLimits(burst=2, per_second=0.0), a="1")
    await directory.find("a")
    assert not await directory.is_refused("x")
    assert await directory.is_refused("y")
    directory.now += 301

    assert await directory.find("a") == "1"


@in_loop
async def test_without_tokens_left_even_a_token_of_a_known_key_is_not_refused() -> None:
    directory = Directory(LookupLimits(burst=1, per_second=0.0), a="1")
    await directory.find("a")
    directory.now += 5

    with pytest.raises(Unavailable, match="too many look-ups"):
        await directory.lookups.find("a", directory.now, "1")


@in_loop
async def test_strangers_do_not_keep_a_new_key_of_the_known_from_being_found() -> None:
    directory = Directory(LookupLimits(burst=2, per_second=0.0), a="1")
    await directory.find("a")
    directory.now += 5
    await directory.drain()
    directory.answers["a"] = "2"

    assert await directory.admits("a", "2") is None
    await directory.rest()

    assert await directory.admits("a", "2") is True


@in_loop
async def test_a_key_looked_for_unseen_is_looked_for_once_in_a_while() -> None:
    directory = Directory(LookupLimits(burst=2, per_second=0.0), a="1")
    await directory.find("a")
    await directory.drain()
    directory.fetched.clear()

    for _ in range(30):
        directory.now += 0.1
        assert await directory.admits("a") is None
        await directory.rest()

    assert directory.fetched == ["a"] * 2


@in_loop
async def test_only_so_many_answers_are_kept() -> None:
    directory = Directory(LookupLimits(entries=2), a="1", b="2", c="3")

    for key in "abcba":
        await directory.find(key)

    assert directory.fetched == ["a", "b", "c", "a"]


@in_loop
async def test_strangers_push_out_nothing_that_is_known() -> None:
    directory = Directory(LookupLimits(entries=2), a="1")
    await directory.find("a")

    for key in "wxyz":
        assert await directory.find(key) is None

    assert await directory.find("a") == "1"
    assert directory.fetched == list("awxyz")

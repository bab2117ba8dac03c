"""Look-ups at a remote directory that is slow: which wait, and for what."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory_job.auth.lookups import LookupLimits
from inventory_job.errors import Unavailable
from tests.support.directory import Directory, Pause
from tests.support.loops import in_loop, settle, started


@in_loop
async def test_no_look_up_waits_for_a_renewal_in_the_background() -> None:
    directory = Directory(LookupLimits(burst=1, per_second=0.0), a="1")
    await directory.find("a")
    directory.now += 5
    pause = Pause(directory)

    assert await directory.admits("a") is None
    await pause.entered.acquire()
    assert await directory.admits("a") is None
    pause.ended.set()
    await directory.rest()
    assert directory.fetched == ["a"] * 2


KEYS = [f"k{number}" for number in range(40)]


async def with_expired() -> Directory:
    """A directory that knows `KEYS`, which were fetched long ago."""
    directory = Directory(LookupLimits(burst=len(KEYS)), **dict.fromkeys(KEYS, "1"))
    for key in KEYS:
        await directory.find(key)
    directory.now += 1000
    return directory


@in_loop
async def test_of_many_known_keys_a_few_are_renewed_at_a_time() -> None:
    directory = await with_expired()
    pause = Pause(directory)
    found = await started(*[directory.find(key) for key in KEYS])
    assert len(directory.fetched) == 40 + 16
    pause.ended.set()

    assert await asyncio.gather(*found) == ["1"] * 40
    assert len(directory.fetched) == 80


@in_loop
async def test_renewals_that_wait_for_their_turn_are_not_tried_once_the_directory_is_down() -> None:
    directory = await with_expired()
    directory.is_down = True
    pause = Pause(directory)
    refused = await started(*[directory.is_refused(key) for key in KEYS])
    pause.ended.set()

    assert await asyncio.gather(*refused) == [True] * 40
    assert len(directory.fetched) == 40 + 16


@in_loop
async def test_a_call_under_way_unseen_does_not_show_that_a_key_is_known() -> None:
    limits = LookupLimits(burst=1, per_second=1.0)
    known, unknown = Directory(limits, a="1"), Directory(limits)
    await known.find("a")
    await unknown.find("a")
    answers = []
    for directory in (known, unknown):
        directory.now += 1
        await directory.drain()
        pause = Pause(directory)
        assert await directory.admits("a") is None
        await settle()
        directory.now += 1
        (bad,) = await started(directory.admits("a"))
        answers.append(bad.done())
        pause.ended.set()
        answers.append(await bad)

    assert answers == [False, False] * 2


@in_loop
async def test_while_one_tries_after_an_outage_the_others_do_not_wait() -> None:
    directory = Directory(a="1", b="2")
    directory.is_down = True
    assert await directory.is_refused("a")
    directory.is_down = False
    directory.now += 1
    others: list[bool] = []

    async def meanwhile() -> None:
        others.append(await directory.is_refused("b"))

    directory.meanwhile = meanwhile

    assert await directory.find("a") == "1"
    assert others == [True]


@in_loop
async def test_look_ups_of_the_same_key_wait_for_one_call() -> None:
    directory = Directory(a="1")
    pause = Pause(directory)
    waiting = await started(*[directory.find("a") for _ in range(1000)])

    pause.ended.set()

    assert await asyncio.gather(*waiting) == ["1"] * 1000
    assert directory.fetched == ["a"]


@in_loop
async def test_a_slow_call_holds_up_no_caller_whose_key_is_known() -> None:
    directory = Directory(known="1")
    await directory.find("known")
    pause = Pause(directory)
    waiting = await started(*[directory.find(f"{number}") for number in range(1000)])

    assert await directory.find("known") == "1"
    pause.ended.set()
    await asyncio.gather(*waiting, return_exceptions=True)


@in_loop
async def test_strangers_do_not_hold_up_renewals_while_the_directory_is_slow() -> None:
    directory = Directory(known="1")
    await directory.find("known")
    directory.now += 301
    pause = Pause(directory)
    await started(*[directory.is_refused(f"{number}") for number in range(1000)])
    directory.fetched.clear()

    (renewed,) = await started(directory.find("known"))
    assert directory.fetched == ["known"]
    pause.ended.set()

    assert await renewed == "1"


@in_loop
async def test_look_ups_learn_immediately_that_the_directory_is_down() -> None:
    """The calls that are under way then count as one failure."""
    directory = Directory()
    directory.is_down = True
    pause = Pause(directory)
    waiting = await started(*[directory.is_refused(key) for key in "abc"])
    pause.ended.set()
    assert await asyncio.gather(*waiting) == [True] * 3

    assert await directory.is_refused("d")
    directory.now += 0.5
    assert await directory.is_refused("d")
    assert directory.fetched == list("abcd")


@in_loop
async def test_a_look_up_after_a_call_was_made_waits_for_it_and_has_another_made() -> None:
    directory = Directory(a="1")
    await directory.find("a")
    directory.now += 10
    pause = Pause(directory)
    (early,) = await started(directory.admits("a"))
    directory.now += 0.1
    (late,) = await started(directory.admits("a"))
    assert not late.done()
    pause.ended.set()

    assert [await early, await late] == [False, False]
    assert directory.fetched == ["a"] * 3


@in_loop
async def test_a_look_up_after_a_call_was_made_takes_its_answer_if_it_fits() -> None:
    directory = Directory(a="1")
    await directory.find("a")
    directory.now += 10
    pause = Pause(directory)
    directory.answers["a"] = "2"
    (early,) = await started(directory.admits("a", "2"))
    directory.now += 0.1
    (late,) = await started(directory.admits("a", "2"))
    assert not late.done()
    pause.ended.set()

    assert [await early, await late] == [True, True]
    assert directory.fetched == ["a"] * 2


@in_loop
async def test_no_look_up_waits_beyond_a_deadline_and_the_call_goes_on_for_others() -> None:
    directory = Directory(a="1")
    pause = Pause(directory)
    (patient,) = await started(directory.find("a"))

    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await directory.find("a")
    pause.ended.set()

    assert await patient == "1"
    assert directory.fetched == ["a"]


@in_loop
async def test_a_call_whose_only_waiter_has_gone_is_of_use_to_the_next() -> None:
    directory = Directory(a="1")
    pause = Pause(directory)
    (waiting,) = await started(directory.find("a"))
    waiting.cancel()
    await settle()
    pause.ended.set()

    assert await directory.find("a") == "1"
    assert directory.fetched == ["a"]


@in_loop
async def test_look_ups_that_wait_for_a_call_that_fails_fail_too() -> None:
    directory = Directory()
    directory.is_down = True
    pause = Pause(directory)
    waiting = await started(*[directory.is_refused("a") for _ in range(4)])
    pause.ended.set()

    assert await asyncio.gather(*waiting) == [True] * 4
    assert directory.fetched == ["a"]


@in_loop
async def test_an_older_answer_that_comes_late_does_not_replace_a_newer_one() -> None:
    directory = Directory(LookupLimits(burst=2, per_second=1.0), a="old")
    await directory.find("a")
    directory.now += 5
    await directory.drain()
    released = asyncio.Event()

    async def slow() -> None:
        directory.meanwhile = quick
        await released.wait()
        directory.answers["a"] = "old"

    async def quick() -> None:
        directory.answers["a"] = "new"

    directory.meanwhile = slow
    assert await directory.admits("a", "new") is None
    await settle()
    directory.now += 1.5
    assert await directory.admits("a", "new") is True
    released.set()
    await settle()

    assert await directory.find("a") == "new"


async def caller(directory: Directory, chance: random.Random, key: str) -> None:
    """Looks `key` up in one of the ways that tokens do; "a", "b" and "c" are known."""
    is_known = key in "abc"
    try:
        if chance.random() < 0.3:
            assert await directory.find(key) == ("1" if is_known else None)
        elif chance.random() < 0.5:
            assert not await directory.admits(key)
        else:
            assert await directory.admits(key, "1") in (None, is_known)
    except Unavailable:
        return


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 200))
@in_loop
async def test_whatever_comes_calls_are_one_for_each_key(seed: int, number: int) -> None:
    """Random callers, cancelled at random, of a directory that takes its time and fails at times:
    everyone gets an answer, the right one, and no call is left. A renewal may run beside a call
    that strangers caused."""
    chance = random.Random(seed)
    limits = LookupLimits(burst=50, per_second=50.0, keep_seconds=2.0)
    directory = Directory(limits, **dict.fromkeys("abc", "1"))
    running: list[str] = []

    async def meanwhile() -> None:
        key = directory.fetched[-1]
        running.append(key)
        assert running.count(key) <= 2
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        running.remove(key)
        directory.is_down = chance.random() < 0.1

    directory.meanwhile = meanwhile
    callers = []
    for _ in range(number):
        directory.now += chance.choice([0.0, 0.01, 0.5])
        callers.append(asyncio.create_task(caller(directory, chance, chance.choice("abcxyz"))))
        if chance.random() < 0.1:
            chance.choice(callers).cancel()
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
    for ended in await asyncio.gather(*callers, return_exceptions=True):
        assert ended is None or isinstance(ended, asyncio.CancelledError)
    await settle()
    assert len(asyncio.all_tasks()) == 1

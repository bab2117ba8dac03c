"""How many calls of a slow directory run at a time, and which look-ups wait for a turn."""

from __future__ import annotations

import asyncio

import pytest

from inventory_job.auth.lookups import LookupLimits
from tests.support.directory import Directory, Pause
from tests.support.loops import in_loop, settle, started


@in_loop
async def test_concurrent_look_ups_fetch_a_few_keys_at_a_time() -> None:
    answers = dict.fromkeys("abcdefgh", "1")
    directory = Directory(LookupLimits(at_a_time=2), **answers)
    pause = Pause(directory)
    found = await started(*[directory.find(key) for key in answers])
    assert directory.fetched == ["a", "b"]
    pause.ended.set()

    assert await asyncio.gather(*found) == ["1"] * 8
    assert directory.fetched == list(answers)


@in_loop
async def test_look_ups_of_the_same_key_that_wait_for_a_slot_share_one_call() -> None:
    directory = Directory(LookupLimits(at_a_time=1), a="1", b="1")
    pause = Pause(directory)
    found = await started(*[directory.find(key) for key in "abbb"])
    pause.ended.set()

    assert await asyncio.gather(*found) == ["1"] * 4
    assert directory.fetched == ["a", "b"]


@in_loop
async def test_a_bad_token_waits_for_a_slot_too() -> None:
    """As one of an unknown domain does."""
    directory = Directory(LookupLimits(at_a_time=1), known="1")
    await directory.find("known")
    directory.now += 10
    pause = Pause(directory)
    first, bad = await started(directory.find("a"), directory.admits("known"))
    assert not bad.done()
    pause.ended.set()

    assert await first is None
    assert await bad is False
    assert directory.fetched == ["known", "a", "known"]


@in_loop
async def test_no_look_up_waits_for_a_slot_beyond_a_deadline() -> None:
    directory = Directory(LookupLimits(at_a_time=1), a="1")
    pause = Pause(directory)
    (first,) = await started(directory.find("a"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await directory.find("b")
    pause.ended.set()

    assert await first == "1"


@in_loop
async def test_look_ups_that_wait_for_a_slot_learn_immediately_that_the_directory_is_down() -> None:
    directory = Directory(LookupLimits(at_a_time=1))
    directory.is_down = True
    pause = Pause(directory)
    waiting = await started(*[directory.is_refused(key) for key in "abc"])
    pause.ended.set()

    assert await asyncio.gather(*waiting) == [True] * 3
    assert directory.fetched == ["a"]


@in_loop
async def test_only_so_many_calls_of_strangers_run_or_wait_for_a_slot() -> None:
    directory = Directory(LookupLimits(at_a_time=1, pending=2))
    pause = Pause(directory)
    waiting = await started(*[directory.is_refused(key) for key in "abcd"])

    assert [each.done() for each in waiting] == [False, False, True, True]
    pause.ended.set()

    assert await asyncio.gather(*waiting) == [False, False, True, True]


@in_loop
async def test_strangers_do_not_hold_up_renewals_while_the_directory_is_slow() -> None:
    directory = Directory(LookupLimits(at_a_time=2), known="1", other="1")
    for key in ("known", "other"):
        await directory.find(key)
    directory.now += 290
    await directory.find("other")
    directory.now += 11
    pause = Pause(directory)
    await started(*[directory.is_refused(key) for key in "abcdefgh"])
    directory.fetched.clear()

    (renewed,) = await started(directory.find("known"))
    assert directory.fetched == ["known"]
    pause.ended.set()

    assert await renewed == "1"


@in_loop
async def test_background_renewals_leave_slots_to_those_that_are_waited_for() -> None:
    known = dict.fromkeys("abcdef", "1")
    directory = Directory(LookupLimits(at_a_time=4, burst=9, per_second=0.0), **known)
    for key in known:
        await directory.find(key)
    directory.now += 100
    await directory.drain()
    pause = Pause(directory)
    directory.fetched.clear()

    for key in "abcde":
        assert await directory.admits(key) is None
    await settle()
    assert directory.fetched == ["a", "b"]
    directory.now += 201
    (renewed,) = await started(directory.find("f"))
    assert directory.fetched == ["a", "b", "f"]
    pause.ended.set()

    assert await renewed == "1"


@in_loop
async def test_renewals_run_a_few_at_a_time() -> None:
    known = dict.fromkeys("abcd", "1")
    directory = Directory(LookupLimits(at_a_time=3), **known)
    for key in known:
        await directory.find(key)
    directory.now += 301
    directory.fetched.clear()
    pause = Pause(directory)
    renewed = await started(*[directory.find(key) for key in known])

    assert directory.fetched == ["a", "b", "c"]
    pause.ended.set()

    assert await asyncio.gather(*renewed) == ["1"] * 4

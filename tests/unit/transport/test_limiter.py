"""The limiter: how many calls are held, in all, of a tenant and on a connection."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest

from inventory_job.errors import Overloaded
from inventory_job.transport.limiter import CallLimits, Limiter
from tests.support.limiter import Clock, entered

LIMITS = CallLimits(held=16, running=4, tenant_running=2, wait_seconds=30)
FEW_PEERS = ("p1", "p2", "p3", "p4", "p5")


def test_a_tenant_alone_leaves_a_quarter_to_others() -> None:
    assert len(entered(Limiter(LIMITS), "a")) == 12


def test_a_tenant_has_half_while_another_holds_permits() -> None:
    limiter = Limiter(LIMITS)
    limiter.enter("b", "q")

    assert len(entered(limiter, "a", FEW_PEERS)) == 8


def test_a_tenant_has_a_quarter_on_a_connection_while_another_holds_permits() -> None:
    limiter = Limiter(LIMITS)
    limiter.enter("a", "q")

    assert len(entered(limiter, "a")) == 4


def test_a_connection_of_many_tenants_has_half_while_another_holds_permits() -> None:
    limiter = Limiter(LIMITS)
    limiter.enter("d", "q")

    held = [len(entered(limiter, tenant)) for tenant in "abc"]

    assert held == [4, 4, 0]


def test_a_tenant_has_half_for_a_second_after_another_was_refused() -> None:
    clock = Clock()
    limiter = Limiter(LIMITS, clock)
    permits = [*entered(limiter, "a"), *entered(limiter, "b", FEW_PEERS)]
    assert len(permits) == 16
    with pytest.raises(Overloaded):
        limiter.enter("c", "r")
    for permit in permits:
        permit.leave()

    assert len(entered(limiter, "a", FEW_PEERS)) == 8
    clock.now += 1.0
    assert len(entered(limiter, "a", FEW_PEERS)) == 4


def test_a_tenant_of_which_calls_were_refused_is_no_other_to_itself() -> None:
    limiter = Limiter(LIMITS)
    permits = entered(limiter, "a")
    with pytest.raises(Overloaded):
        limiter.enter("a", "p")
    for permit in permits:
        permit.leave()

    assert len(entered(limiter, "a")) == 12


def test_no_more_are_held_than_the_limit() -> None:
    limiter = Limiter(LIMITS)

    held = sum(len(entered(limiter, tenant, FEW_PEERS)) for tenant in "abcd")

    assert held == limiter.held == 16
    assert limiter.refused == 4


def test_a_permit_that_is_given_back_twice_counts_once() -> None:
    limiter = Limiter(LIMITS)
    first, _ = limiter.enter("a", "p"), limiter.enter("a", "p")

    first.leave()
    first.leave()

    assert limiter.held == 1


def test_what_was_refused_on_connections_that_are_gone_is_forgotten() -> None:
    clock = Clock()
    limiter = Limiter(LIMITS, clock)
    permits = [*entered(limiter, "a"), *entered(limiter, "b", FEW_PEERS)]

    def refuse(count: int) -> None:
        for number in range(count):
            clock.now += 0.1
            with suppress(Overloaded):
                limiter.enter(f"tenant-{number}", f"192.0.2.1:{number}")

    refuse(100)
    tracemalloc.start()
    try:
        refuse(5000)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(permits) == 16
    assert grown < 20_000

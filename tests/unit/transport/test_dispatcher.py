"""The dispatcher runs calls within the limits, and holds them until their answer is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from inventory_job.auth.callers import AnonymousAuthenticator, Caller
from inventory_job.errors import NotFound, Overloaded, TooLarge
from inventory_job.transport.dispatcher import Call, Dispatcher
from inventory_job.transport.limiter import CallLimits, Limiter
from tests.support.limiter import Clock

MOST_BYTES = 200_000
LARGE = b"x" * 100_000


def call(tenant: str = "domain-1", peer: str = "p") -> Call:
    caller = Caller(tenant)
    method = "/spaceone.api.inventory.v1.Job/list"
    return Call(method, caller, lambda message: message.SerializeToString(), 0, peer, None)


def dispatcher_of(limiter: Limiter) -> Dispatcher:
    return Dispatcher(AnonymousAuthenticator(), limiter, MOST_BYTES)


def answering(content: bytes) -> Callable[[], Awaitable[bytes]]:
    async def work() -> bytes:
        return content

    return work


class Clients:
    """What is to be called once each answer has been taken."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def when_taken(self, function: Callable[[], None]) -> None:
        self.waiting.append(function)


def test_a_call_is_held_until_its_answer_is_taken() -> None:
    async def run() -> None:
        limiter, clients = Limiter(CallLimits()), Clients()

        answer = await dispatcher_of(limiter).run(call(), answering(b"answer"), clients.when_taken)

        assert answer == b"answer"
        assert limiter.held == 1
        clients.waiting.pop()()
        assert limiter.held == 0

    asyncio.run(run())


def test_large_answers_that_are_not_taken_keep_no_other_tenant_from_running() -> None:
    async def run() -> None:
        limits = CallLimits(running=4, tenant_running=4, wait_seconds=0.02)
        limiter, clients = Limiter(limits), Clients()
        dispatcher = dispatcher_of(limiter)
        for tenant in ("a", "b", "a", "b"):
            await dispatcher.run(call(tenant), answering(LARGE), clients.when_taken)

        assert await dispatcher.run(call("c"), answering(b"x"), clients.when_taken) == b"x"

        for taken in clients.waiting:
            taken()
        assert limiter.held == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("content", "runs"), [(b"x" * 65_536, True), (b"x" * 65_537, False), (LARGE, False)]
)
def test_a_large_answer_that_is_not_taken_keeps_another_call_from_running(
    content: bytes, runs: bool
) -> None:
    async def run() -> None:
        limiter, clients = Limiter(CallLimits(tenant_running=1, wait_seconds=0.02)), Clients()
        dispatcher = dispatcher_of(limiter)
        await dispatcher.run(call(), answering(content), clients.when_taken)

        following = dispatcher.run(call(peer="q"), answering(b""), clients.when_taken)

        if runs:
            assert await following == b""
        else:
            with pytest.raises(Overloaded):
                await following
            clients.waiting.pop()()
            assert await dispatcher.run(call(), answering(b"next"), clients.when_taken) == b"next"

    asyncio.run(run())


def test_an_answer_above_the_limit_is_refused_and_the_permit_given_back() -> None:
    async def run() -> None:
        limiter, clients = Limiter(CallLimits()), Clients()
        dispatcher = dispatcher_of(limiter)
        await dispatcher.run(call(), answering(b"x" * MOST_BYTES), clients.when_taken)
        clients.waiting.pop()()

        with pytest.raises(TooLarge):
            await dispatcher.run(call(), answering(b"x" * (MOST_BYTES + 1)), clients.when_taken)

        assert clients.waiting == []
        assert limiter.held == 0

    asyncio.run(run())


def test_a_call_that_fails_gives_its_permit_back() -> None:
    async def run() -> None:
        limiter, clients = Limiter(CallLimits()), Clients()

        async def work() -> bytes:
            raise NotFound("job-1")

        with pytest.raises(NotFound):
            await dispatcher_of(limiter).run(call(), work, clients.when_taken)

        assert limiter.held == 0

    asyncio.run(run())


@pytest.mark.parametrize("others", [0, 1], ids=["running", "waiting"])
def test_a_call_that_is_cancelled_gives_its_permit_back(others: int) -> None:
    async def run() -> None:
        limiter, clients = Limiter(CallLimits(tenant_running=1)), Clients()
        dispatcher = dispatcher_of(limiter)
        for _ in range(others):
            await dispatcher.run(call(), answering(LARGE), clients.when_taken)

        async def work() -> bytes:
            await asyncio.sleep(60)
            return b""

        task = asyncio.create_task(dispatcher.run(call(), work, clients.when_taken))
        await asyncio.sleep(0.01)
        assert limiter.held == 1 + others
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert limiter.held == others

    asyncio.run(run())


def test_a_call_that_may_not_be_held_is_refused_without_work() -> None:
    async def run() -> None:
        limiter, clients = Limiter(CallLimits(held=8)), Clients()
        for number in range(4):
            limiter.enter("domain-1", f"p{number}")
            limiter.enter("domain-2", f"q{number}")
        begun = []

        async def work() -> bytes:
            begun.append(1)
            return b""

        with pytest.raises(Overloaded):
            await dispatcher_of(limiter).run(call("domain-3", "r"), work, clients.when_taken)

        assert begun == []
        assert limiter.held == 8

    asyncio.run(run())


def test_slow_work_is_charged_to_its_tenant_however_it_ends() -> None:
    async def run() -> None:
        clock = Clock()
        limiter, clients = Limiter(CallLimits(tenant_running=2, wait_seconds=0), clock), Clients()
        dispatcher = dispatcher_of(limiter)

        async def work() -> bytes:
            clock.now += 2.7
            raise NotFound("job-1")

        limiter.enter("domain-2", "q")
        with pytest.raises(NotFound):
            await dispatcher.run(call(), work, clients.when_taken)

        await dispatcher.run(call(), answering(LARGE), clients.when_taken)
        with pytest.raises(Overloaded):
            await dispatcher.run(call(peer="r"), answering(b""), clients.when_taken)

    asyncio.run(run())

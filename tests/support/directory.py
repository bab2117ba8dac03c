"""A remote directory at a time of the test's, with the look-ups under test before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from inventory_job.auth.lookups import LookupLimits, Lookups
from inventory_job.errors import Unavailable
from tests.support.loops import settle


async def _nothing() -> None:
    """Takes no time."""


class Directory:
    """A remote directory at a time of the test's; records the keys that were fetched."""

    def __init__(self, limits: LookupLimits | None = None, **answers: str) -> None:
        self.now = 1000.0
        self.answers = answers
        self.fetched: list[str] = []
        self.is_down = False
        self.meanwhile: Callable[[], Awaitable[None]] = _nothing
        self.lookups = Lookups(self._fetch, limits or LookupLimits(), lambda: self.now)

    async def _fetch(self, key: str) -> str | None:
        self.fetched.append(key)
        await self.meanwhile()
        if self.is_down:
            raise Unavailable("the identity service cannot be reached")
        return self.answers.get(key)

    async def find(self, key: str) -> str | None:
        return await self.lookups.find(key)

    async def admits(self, key: str, fitting: str = "none") -> bool | None:
        """Whether a token that fits only this answer is admitted; None where that stays open."""
        since = self.now
        try:
            value = await self.find(key)
            while value != fitting:
                newer = await self.lookups.find(key, since, value)
                if newer == value:
                    return False
                value = newer
        except Unavailable:
            return None
        return True

    async def drain(self) -> None:
        """Has strangers cause calls until the limits forbid it."""
        number = 0
        while not await self.is_refused(f"stranger {self.now} {number}"):
            number += 1

    async def rest(self) -> None:
        """Waits for calls in the background; they take no time."""
        await settle()

    async def is_refused(self, key: str) -> bool:
        try:
            await self.lookups.find(key)
        except Unavailable:
            return True
        return False


class Pause:
    """Holds calls to a directory until it has ended."""

    def __init__(self, directory: Directory) -> None:
        self.entered = asyncio.Semaphore(0)
        self.ended = asyncio.Event()
        directory.meanwhile = self.wait

    async def wait(self) -> None:
        self.entered.release()
        await self.ended.wait()

"""Whether the server can answer calls: watched in the background, shown by health and `/readyz`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from pymongo.errors import PyMongoError

_INTERVAL_SECONDS = 2.0
_PING_SECONDS = 2.0


class Readiness:
    """Pings the database every two seconds, once started; `ping` raises pymongo errors. `notify`
    takes whether the database answers, whenever that changes."""

    def __init__(self, ping: Callable[[], Awaitable[None]], notify: Callable[[bool], None]) -> None:
        self._ping = ping
        self._notify = notify
        self._is_usable: bool | None = None
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(__name__)

    @property
    def is_ready(self) -> bool:
        """Whether the database answers and the server is not stopping."""
        return bool(self._is_usable) and not self._is_stopping

    def start(self) -> None:
        """Begins to watch, in the running event loop."""
        self._task = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """The server is not ready any more."""
        self._is_stopping = True
        if self._task:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            is_usable = await self._answers()
            if is_usable != self._is_usable:
                self._is_usable = is_usable
                self._notify(is_usable)
                self._log.info("database is usable" if is_usable else "database is not usable")
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._ping()
        except (PyMongoError, TimeoutError):
            return False
        return True

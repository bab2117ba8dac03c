"""Whether the server can answer calls: watched in the background, shown by health and `/readyz`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from inventory_job.errors import Outage
from inventory_job.tasks import in_background
from inventory_job.transport.grpc.health import STARTING, STOPPING, HealthServicer

_INTERVAL_SECONDS = 2.0
_PING_SECONDS = 2.0


class Readiness:
    """Looks every two seconds for an outage of the database, once started, and has `health` show
    it; `find_outage` takes the seconds of a look. An outage is logged when it is another one."""

    def __init__(
        self, find_outage: Callable[[float], Awaitable[Outage | None]], health: HealthServicer
    ) -> None:
        self._find_outage = find_outage
        self._health = health
        self.unready: str | None = STARTING
        """Why calls cannot be served; None if they can."""
        self._task: asyncio.Task[Any] | None = None
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Begins to watch, in the running event loop."""
        self._task = in_background(self._watch())

    def stop(self) -> None:
        """The server is not ready any more."""
        self.unready = STOPPING
        self._health.stop()
        if self._task:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            outage = await self._find_outage(_PING_SECONDS)
            unready = None if outage is None else f"the database is not usable: {outage}"
            if unready != self.unready:
                self.unready = unready
                self._health.set(unready)
                if outage is None:
                    self._log.info("database is usable")
                else:
                    kind, host, reason = outage.kind, outage.host, outage.reason
                    self._log.warning("database is not usable", kind=kind, host=host, reason=reason)
            await asyncio.sleep(_INTERVAL_SECONDS)

"""Whether the server can answer calls: watched in the background, shown by health and `/readyz`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from inventory_job.errors import Outage
from inventory_job.transport.grpc.health import HealthServicer

_INTERVAL_SECONDS = 2.0
_PING_SECONDS = 2.0


async def watch(
    find_outage: Callable[[float], Awaitable[Outage | None]], health: HealthServicer
) -> NoReturn:
    """Looks every two seconds for an outage of the database, and has `health` show it;
    `find_outage` takes the seconds of a look. An outage is logged when it is another one."""
    log = structlog.get_logger(__name__)
    while True:
        outage = await find_outage(_PING_SECONDS)
        unready = None if outage is None else f"the database is not usable: {outage}"
        if unready != health.unready:
            health.set(unready)
            if outage is None:
                log.info("database is usable")
            else:
                kind, host, reason = outage.kind, outage.host, outage.reason
                log.warning("database is not usable", kind=kind, host=host, reason=reason)
        await asyncio.sleep(_INTERVAL_SECONDS)

"""Runs a server until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import structlog
from pydantic import SecretStr
from uvloop import new_event_loop

from inventory_job.app.server import Server
from inventory_job.observability.logging import show_from
from inventory_job.settings import Settings

_OTHER_DESCRIPTORS = 150
"""Descriptors kept free for connections to MongoDB, files and the event loop."""
_DIAGNOSED_SECONDS = 1.0
_SWITCH_SECONDS = 0.0005
"""The thread switch interval: how long a thread that works on a large message keeps the event loop
waiting. A tenth of Python's default: meanwhile a get takes 7 ms instead of 19."""


def with_mongod(settings: Settings, resources: ExitStack) -> Settings:
    """Returns `settings` with a `mongo_uri`. If they have none, starts an embedded mongod, which
    closing `resources` stops. Raises embedded.data_directory.EmbeddedError."""
    if settings.mongo_uri is not None:
        return settings
    # Imported only here: its imports take half a megabyte, which other servers save.
    from inventory_job.embedded.mongod import default_data_dir, embedded_mongod  # noqa: PLC0415

    data_dir = settings.data_dir or default_data_dir()
    structlog.get_logger(__name__).info("starting embedded mongod", data_dir=str(data_dir))
    uri = resources.enter_context(embedded_mongod(data_dir))
    creates = settings.create_indexes is not False
    return settings.model_copy(update={"mongo_uri": SecretStr(uri), "create_indexes": creates})


def end_on_signals() -> None:
    """Makes SIGTERM and SIGINT raise SystemExit from now on, so that open resources are closed.
    While a server is running, its own handlers replace these and drain it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))


def run(settings: Settings, when_serving: Callable[[Server], object] = lambda _: None) -> None:
    """Serves until SIGTERM or SIGINT. SIGUSR1 sets the log level to debug, SIGUSR2 resets it to
    that of the settings. Calls `when_serving` with the server once it serves. Raises
    CannotStart."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(within_descriptors(settings), when_serving))


async def _serve(settings: Settings, when_serving: Callable[[Server], object]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_LoopErrors().handle)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    loop.add_signal_handler(signal.SIGUSR1, partial(_change_level, "debug"))
    loop.add_signal_handler(signal.SIGUSR2, partial(_change_level, settings.log_level))
    async with Server(settings) as server:
        # Exempts the objects made so far from garbage collection: scanning them takes 40 ms.
        gc.collect()
        gc.freeze()
        when_serving(server)
        await ending.wait()


def within_descriptors(settings: Settings) -> Settings:
    """Raises the limit of open files to its hard limit. Returns `settings`, with fewer connections
    for each port if the limit is too low: out of descriptors, neither port could accept any."""
    log = structlog.get_logger(__name__)
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            most = hard
        except (OSError, ValueError) as error:
            log.warning("descriptor limit not raised", limit=most, reason=str(error))
    ports = 2 if settings.http else 1
    connections = max((most - _OTHER_DESCRIPTORS) // ports, 1)
    if most == resource.RLIM_INFINITY or connections >= settings.connections:
        return settings
    log.warning("connections limited", limit=connections, descriptors=most)
    return settings.model_copy(update={"connections": connections})


def _change_level(level: str) -> None:
    """Sets the log level and logs the change, whatever the levels before and after."""
    show_from("debug")
    structlog.get_logger(__name__).info("log level changed", log_level=level)
    show_from(level)


class _LoopErrors:
    """Logs errors in the event loop outside of calls, at most one a second: some repeat rapidly,
    such as a failure to accept connections."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._unlogged = 0
        self._log = structlog.get_logger(__name__)

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Logs the error in `context`, or only counts it; for `loop.set_exception_handler`."""
        if loop.time() < self._next_at:
            self._unlogged += 1
            return
        self._next_at = loop.time() + _DIAGNOSED_SECONDS
        error, unlogged, self._unlogged = context.get("exception"), self._unlogged, 0
        self._log.error("event loop", reason=context["message"], exc_info=error, more=unlogged)

"""Servers and coroutines in event loops of their own, for tests that are synchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any, Self, TypeVar

import uvloop

from inventory_job.app.run import with_mongod
from inventory_job.app.server import Server
from inventory_job.cli.seed import load_demo
from inventory_job.embedded.demo_data import Demo
from inventory_job.model.client import Database
from inventory_job.settings import Settings
from tests.support.store import Store

_Result = TypeVar("_Result")


class LoopThread:
    """An event loop in a thread, as a context manager."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def start(self, work: Coroutine[Any, Any, _Result]) -> Any:
        """Begins `work`; a concurrent.futures.Future of what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """What `work` gives, or raises."""
        result: _Result = self.start(work).result()
        return result

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.get_loop().run_forever()


class ServerThread:
    """A server in a loop of its own, as a context manager; one without a database gets an embedded
    one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = LoopThread()
        self._resources = ExitStack()
        self._server: Server | None = None

    def __enter__(self) -> Self:
        try:
            self._server = Server(with_mongod(self._settings, self._resources))
            self._resources.enter_context(self._loop)
            self._loop.run(self._server.__aenter__())
        except BaseException:
            self._resources.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self.server.__aexit__(None, None, None))
        self._resources.close()

    @property
    def server(self) -> Server:
        assert self._server is not None
        return self._server

    @property
    def port(self) -> int:
        return _port_of(self.address)

    @property
    def http_port(self) -> int:
        return _port_of(self.http_address or "")

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def http_address(self) -> str | None:
        return self.server.http_address


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def server_of(settings: Settings) -> ServerThread:
    """A server with these settings, to be entered."""
    return ServerThread(settings)


def in_database(store: Store, work: Callable[[Database], Coroutine[Any, Any, _Result]]) -> _Result:
    """What `work` gives with the server's own way to the database of a store, opened for it."""

    async def run() -> _Result:
        database = Database(store.uri, store.name)
        try:
            await database.with_server(database.ping)
            return await work(database)
        finally:
            await database.close()

    # Not in this thread: where a browser is open, it has a running loop.
    with LoopThread() as loop:
        return loop.run(run())


def seed(store: Store, demo: Demo) -> None:
    """Loads demo data into a store that has no jobs."""
    in_database(store, lambda database: load_demo(database, demo))

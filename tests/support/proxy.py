"""A TCP proxy that stands for a bad network: cut, slow, silent, or breaking off in mid-answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

_LOOK_SECONDS = 0.02
_SLICES_PER_SECOND = 20
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """What the way between client and server is like.

    `delay` in seconds, each way; `bytes_per_second`, each way and connection; `is_silent`: nothing
    arrives, and neither end notices (what was sent arrives when it ends, as TCP sends it again);
    `reset_after`: an answer that takes the bytes of a connection beyond that many is broken off
    in the middle by a reset.
    """

    delay: float = 0.0
    bytes_per_second: float | None = None
    is_silent: bool = False
    reset_after: int | None = None


@dataclass(eq=False, slots=True)
class _Connection:
    """One client's, and the one made to the server for it."""

    sockets: list[asyncio.StreamWriter]
    is_forsaken: bool = False
    is_over: bool = False
    answered: int = 0


class Proxy:
    """Stands in front of `127.0.0.1:port` of a MongoDB server, as a context manager; of another
    one unless `is_mongod`.

    `line` can be changed at any time, but has no `reset_after` for another server. `renamed` texts
    in what a MongoDB server sends are replaced, by ones of the same length: addresses that it tells
    of itself and others, so that clients come through the proxy again. `edit` takes each message of
    a MongoDB server to the one that is sent instead. `buffer_bytes` is what the system may hold of
    what the server sends, as much as it likes by default.
    """

    def __init__(
        self, port: int, *, is_mongod: bool = True, buffer_bytes: int | None = None
    ) -> None:
        self._buffer_bytes = buffer_bytes
        self._answer = self._answer_messages if is_mongod else self._send_on
        self.line = Line()
        self.renamed: Mapping[bytes, bytes] = {}
        self.edit: Callable[[bytes], bytes] = bytes
        self._target = port
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._listener: asyncio.Server | None = None
        self.port = 0
        """The port to connect to, once entered; it stays the same."""

    def __enter__(self) -> Self:
        self._thread.start()
        self.mend()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def host(self) -> str:
        """Address to connect to."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Resets all connections and refuses new ones."""
        self._do(self._cut())

    def mend(self) -> None:
        """Takes connections again."""
        self._do(self._listen())

    def reset(self) -> None:
        """Resets all connections; new ones are taken."""
        self._do(self._reset())

    def forsake(self, client_port: int | None = None) -> None:
        """Nothing passes on the connections there are, or that of one port alone, ever again, and
        neither end notices, as when a firewall has forgotten them; new ones are served."""
        for connection in [*self._connections]:
            port = connection.sockets[0].get_extra_info("peername")[1]
            connection.is_forsaken |= client_port in {None, port}

    def _do(self, action: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(action, self._loop)
        done.result(30)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._reset()

    async def _reset(self) -> None:
        for connection in [*self._connections]:
            _abort(connection)

    async def _close(self) -> None:
        await self._cut()
        self.line = Line()
        while self._connections:
            await self._reset()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection([writer])
        self._connections.add(connection)
        try:
            answers, server = await asyncio.open_connection(sock=await self._connected())
            connection.sockets.append(server)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._send_on(connection, reader, server))
                ways.create_task(self._answer(connection, answers, writer))
        except* (OSError, EOFError):
            pass  # one side has ended it, and so has the other now
        finally:
            _abort(connection)
            self._connections.discard(connection)

    async def _connected(self) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        if self._buffer_bytes is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer_bytes)
        try:
            await self._loop.sock_connect(made, ("127.0.0.1", self._target))
        except BaseException:
            made.close()
            raise
        return made

    async def _send_on(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            await self._pass(connection, data, writer)
        raise EOFError

    async def _answer_messages(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            # A message of MongoDB's begins with its length, four bytes of it.
            head = await reader.readexactly(4)
            data = head + await reader.readexactly(int.from_bytes(head, "little") - 4)
            for old, new in self.renamed.items():
                data = data.replace(old, new)
            data = self.edit(data)
            connection.answered += len(data)
            most = self.line.reset_after
            if most is not None and connection.answered > most:
                await self._pass(connection, data[: len(data) // 2], writer)
                raise EOFError
            await self._pass(connection, data, writer)

    async def _pass(
        self, connection: _Connection, data: bytes, writer: asyncio.StreamWriter
    ) -> None:
        line = self.line
        if line.delay:
            await asyncio.sleep(line.delay)
        while data:
            while (self.line.is_silent or connection.is_forsaken) and not connection.is_over:  # noqa: ASYNC110  threads say
                await asyncio.sleep(_LOOK_SECONDS)
            rate = self.line.bytes_per_second
            size = len(data) if rate is None else max(1, int(rate / _SLICES_PER_SECOND))
            writer.write(data[:size])
            await writer.drain()
            data = data[size:]
            if rate is not None:
                await asyncio.sleep(1 / _SLICES_PER_SECOND)


def _abort(connection: _Connection) -> None:
    connection.is_over = True
    for writer in connection.sockets:
        made: socket.socket | None = writer.get_extra_info("socket")
        if made is not None and not writer.transport.is_closing():
            with contextlib.suppress(OSError):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()


class Proxies:
    """A proxy in front of each of a replica set's members, as a context manager.

    `ports` are the members' ports. Clients that come through one stay behind the proxies.
    """

    def __init__(self, ports: list[int]) -> None:
        self._of = {port: Proxy(port) for port in ports}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for proxy in self._of.values():
            self._open.enter_context(proxy)
        renamed = {
            f"127.0.0.1:{port}".encode(): proxy.host.encode() for port, proxy in self._of.items()
        }
        assert all(len(old) == len(new) for old, new in renamed.items())
        for proxy in self._of.values():
            proxy.renamed = renamed
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def of(self, port: int) -> Proxy:
        """The proxy in front of a member."""
        return self._of[port]

    def through(self, uri: str) -> str:
        """The connection string with the proxies in place of the members."""
        for port, proxy in self._of.items():
            uri = uri.replace(f"127.0.0.1:{port}", proxy.host)
        return uri

    def each(self, action: Callable[[Proxy], None]) -> None:
        """Does it to all of them."""
        for proxy in self._of.values():
            action(proxy)

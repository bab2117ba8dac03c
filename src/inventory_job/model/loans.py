"""Connections borrowed from the driver, which has made, secured and authenticated them.

The driver's own reads wait in a thread. Who waits otherwise takes the connection's socket, and
leaves everything else to the driver: which server to read from, and when a connection is no good
any more. There is no public way to that.
"""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from inventory_job.model.commands import RawDocument

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.topology_description import TopologyDescription


class Loan:
    """One connection to a server that may be read from, out of the driver's pool until it is
    closed, and not used by the driver meanwhile. Its socket blocks nobody.

    Making one waits for a server, and for a connection to it; raises pymongo errors. `read_concern`
    is a document, empty for the default.
    """

    def __init__(
        self, client: MongoClient[RawDocument], database: str, read_concern: RawDocument
    ) -> None:
        self._client = client
        self._checkout = client._conn_for_reads(client.read_preference, None, "find")  # noqa: SLF001
        self._connection, preference = self._checkout.__enter__()
        try:
            self._connection.conn.settimeout(0)
            self.socket: socket.socket = self._connection.conn.sock
            """The socket, or what does its work with TLS."""
        except BaseException:
            self.close()
            raise
        self._fields: RawDocument = {"$db": database}
        if read_concern:
            self._fields["readConcern"] = read_concern
        if preference.mode:
            self._fields["$readPreference"] = preference.document
        self._judged: TopologyDescription | None = None
        self._is_selected = False

    @property
    def is_plain(self) -> bool:
        """Whether messages are as the caller makes them, not compressed, and the socket one of the
        standard library's: that of pyOpenSSL waits even if it is told not to."""
        is_standard = isinstance(self.socket, socket.socket)
        return is_standard and self._connection.compression_context is None

    def telling(self, command: RawDocument, number: int) -> Telling | None:
        """Tells who listens to the driver's commands that this one is about to be sent, in the
        message of that number; what it returns tells of its end. None if nobody listens."""
        listeners = self._connection.listeners
        if listeners is None or not listeners.enabled_for_commands:
            return None
        return Telling(self._connection, listeners, command, number)

    @property
    def is_fit(self) -> bool:
        """Whether the driver would still use the connection, for all it knows now."""
        description = self._client.topology_description
        address = self._connection.address
        if description is not self._judged:
            servers = description.apply_selector(self._client.read_preference)
            self._is_selected = any(each.address == address for each in servers)
            self._judged = description
        server = self._client._topology._servers.get(address)  # noqa: SLF001
        return (
            self._is_selected
            and server is not None
            and not server.pool.stale_generation(
                self._connection.generation, self._connection.service_id
            )
        )

    def prepare(self, command: RawDocument) -> None:
        """Adds to a command what depends on the connection."""
        command.update(self._fields)
        self._connection.add_server_api(command)

    def close(self) -> None:
        """Closes the connection, whatever goes on in it; the driver's pool has room for another
        one. Repeating is harmless."""
        connection: Any = self._connection
        if connection is None:
            return
        self._connection = None  # type: ignore[assignment]
        connection.close_conn(None)
        self._checkout.__exit__(None, None, None)


class Telling:
    """What listeners are told of one command, as the driver tells it."""

    def __init__(self, connection: Any, listeners: Any, command: RawDocument, number: int) -> None:
        self._listeners = listeners
        self._began = time.perf_counter()
        self._name = next(iter(command))
        self._database = str(command["$db"])
        self._where = {
            "request_id": number,
            "connection_id": connection.address,
            "server_connection_id": connection.server_connection_id,
            "service_id": connection.service_id,
        }
        listeners.publish_command_start(command, self._database, **self._where)

    def succeeded(self, answer: RawDocument) -> None:
        """The command was done."""
        self._listeners.publish_command_success(**self._end(), reply=answer)

    def failed(self, answer: RawDocument) -> None:
        """The command was refused, or not answered."""
        self._listeners.publish_command_failure(**self._end(), failure=answer)

    def _end(self) -> dict[str, Any]:
        return {
            "duration": timedelta(seconds=time.perf_counter() - self._began),
            "command_name": self._name,
            "database_name": self._database,
            **self._where,
        }


def borrowed(
    client: MongoClient[RawDocument], database: str, read_concern: RawDocument
) -> Loan | None:
    """A loan, None where there is none to be had now."""
    try:
        return Loan(client, database, read_concern)
    except PyMongoError:
        return None

"""The way to the database: one client, and the collections of the models reached through it."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pymongo
from bson import decode
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from mongoengine import connection as registry
from pymongo import MongoClient, ReadPreference, monitoring
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database as MongoDatabase
from pymongo.errors import ConfigurationError, InvalidName, PyMongoError

from inventory_job.model.commands import (
    PageQuery,
    RawDocument,
    find_one,
    find_page,
    milliseconds,
)
from inventory_job.model.documents import Job, JobTask
from inventory_job.model.loans import Loan, borrowed

_LONGEST_SILENCE_MILLISECONDS = 30_000
_LONGEST_ROUND_TRIP_SECONDS = 2.0
_HEARTBEAT_MILLISECONDS = 1000
_RENEWAL_SECONDS = 1.0
_UNDECODED: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
_WITH_TRANSACTIONS = frozenset({"RSPrimary", "RSSecondary", "Mongos", "LoadBalancer"})


class InvalidDatabase(ValueError):
    """The connection string or the name of the database is malformed; no credentials in it."""


class Database:
    """One database, reached through one MongoClient that mongoengine knows under `alias`.

    Nothing is sent before the first operation, so a server starts without its database. Safe to
    share between threads; not to be carried over a fork. Several can live in one process: a
    model is never tied to one of them, so ask here for a collection instead of the model.

    Stored data is decoded leniently, as other services wrote it: dates come naive and in UTC,
    those outside the years 1 to 9999 as `bson.datetime_ms.DatetimeMS`; broken UTF-8 comes with
    replacement characters.

    Args:
        uri: MongoDB connection string; its options win over the defaults set here, the
            database in its path only says where to authenticate.
        name: database that holds the collections.
        server_selection_seconds: how long to look for a usable server.
        alias: name in mongoengine's registry; by default a fresh one.
        listeners: are told of every command.

    Raises:
        InvalidDatabase: `uri` or `name` is malformed.
    """

    def __init__(
        self,
        uri: str,
        name: str,
        *,
        server_selection_seconds: float = 5.0,
        alias: str | None = None,
        listeners: Sequence[monitoring.CommandListener] = (),
    ) -> None:
        self.name = name
        self._server_selection_seconds = server_selection_seconds
        self.alias = alias or f"inventory-job-{uuid.uuid4().hex}"
        self._hosts = _without_credentials(uri)
        try:
            self._client = _open_client(uri, server_selection_seconds, listeners)
        except (ConfigurationError, ValueError) as exc:
            raise InvalidDatabase(f"The MongoDB connection string is not valid: {exc}") from exc
        try:
            self._client.get_database(name)
        except InvalidName as exc:
            raise InvalidDatabase(f"{name!r} is not a valid database name: {exc}") from exc
        # With a finished client: given the URI, mongoengine would look up its host names at
        # once, prefer the database in its path to `name`, and keep the password.
        registry.register_connection(
            self.alias,
            name=name,
            uuidRepresentation="standard",
            mongo_client_class=lambda **_: self._client,
        )
        self._database: MongoDatabase[RawDocument] = registry.get_db(self.alias)
        self.jobs = self.collection(Job)
        """The collection of `Job`."""
        self.job_tasks = self.collection(JobTask)
        """The collection of `JobTask`."""
        self._renewing = threading.Lock()
        self._renewed = float("-inf")
        # Descriptions are never changed: one that has a server has it for good.
        self._with_server: object = None

    def __repr__(self) -> str:
        return f"Database({self.describe()!r}, alias={self.alias!r})"

    def collection(self, model: type[Job | JobTask]) -> Collection[RawDocument]:
        """The collection that holds the documents of `model` in this database."""
        # mongoengine has no public way to ask a model without also connecting it.
        return self._database[model._get_collection_name()]  # noqa: SLF001

    def find_job(
        self,
        filter_: RawDocument,
        projection: Mapping[str, Any],
        session: ClientSession,
        seconds: float,
    ) -> RawDocument | None:
        """One job, looked for at most for `seconds`; raises pymongo errors.

        The command itself, since a cursor for one document costs as much again as the document.
        """
        answer = self._read(
            find_one(self.jobs.name, filter_, projection, seconds),
            session,
            self._database.codec_options,
        )
        found: list[RawDocument] = answer["cursor"]["firstBatch"]
        return found[0] if found else None

    def find_page(
        self, query: PageQuery, session: ClientSession, seconds: float, most_bytes: int
    ) -> list[RawDocument] | None:
        """One page of jobs, looked for at most for `seconds`; None when it does not come in one
        piece, some 16 MiB, or is larger than `most_bytes` as stored. Raises pymongo errors.

        As `find_job`, and decoded in one step, once the size is known.
        """
        answer = self._read(
            find_page(self.jobs.name, query, seconds),
            session,
            _UNDECODED,
        )
        cursor: RawBSONDocument = answer["cursor"]
        if len(cursor.raw) <= most_bytes:
            decoded = decode(cursor.raw, self._database.codec_options)
            if not decoded["id"]:
                found: list[RawDocument] = decoded["firstBatch"]
                return found
        if cursor["id"]:
            kill = {"killCursors": self.jobs.name, "cursors": [cursor["id"]]}
            self._database.command(kill, session=session)
        return None

    @property
    def codec_options(self) -> CodecOptions[RawDocument]:
        """How stored data is decoded."""
        return self._database.codec_options

    @property
    def most_connections(self) -> int:
        """How many connections to a server there may be."""
        most: float | None = self._client.options.pool_options.max_pool_size
        return 1000 if not most or math.isinf(most) else int(most)

    def lend(self) -> Loan | None:
        """A connection for reads that are not the driver's, None where there is none to be had
        now, or where the driver may read from secondaries; waits for it."""
        if self._client.read_preference != ReadPreference.PRIMARY:
            return None
        return borrowed(self._client, self.name, self._database.read_concern.document)

    def start_session(self) -> ClientSession:
        """A session for a transaction; raises pymongo errors when no server can be reached."""
        return self._client.start_session()

    def kill_sessions(self, sessions: Sequence[ClientSession]) -> None:
        """End what runs in the database, and what transactions are open, within `sessions`; raises
        pymongo errors.

        Users other than a session's own need the privilege killAnySession.
        """
        self._client.admin.command("killSessions", [session.session_id for session in sessions])

    def has_server(self) -> bool:
        """Whether the driver, for all it knows now, has a server to send operations to."""
        description = self._client.topology_description
        if description is not self._with_server:
            if not description.has_readable_server(self._client.read_preference):
                return False
            self._with_server = description
        return True

    def await_server(self, most_seconds: float) -> None:
        """Wait until there is a server, at most the least of `most_seconds` and the server
        selection time; raises pymongo's ServerSelectionTimeoutError when there is none by then.

        Within a time limit (`pymongo.timeout`) the driver would look for one until that is over.
        """
        if not self.has_server():
            with pymongo.timeout(min(most_seconds, self._server_selection_seconds)):
                self._client.admin.command("ping", read_preference=self._client.read_preference)

    def renew_connections(self) -> bool:
        """Have what comes next use new connections, which log in anew; whether that is so: not
        when it was a second ago.

        A connection whose user is dropped is logged out for good, also when there is such a user
        again, and the driver keeps it.
        """
        with self._renewing:
            now = time.monotonic()
            if now - self._renewed < _RENEWAL_SECONDS:
                return False
            self._renewed = now
        # There is no public way.
        for server in [*self._client._topology._servers.values()]:  # noqa: SLF001
            server.pool.reset_without_pause()
        return True

    def ping(self, timeout_seconds: float | None = None) -> None:
        """Ask the database for a sign of life; raises pymongo errors when there is none.

        `timeout_seconds` limits the whole exchange; none leaves it to server selection.
        """
        with pymongo.timeout(timeout_seconds):
            self._client.admin.command("ping")

    def is_usable(self, timeout_seconds: float) -> bool:
        """Whether the database answers a ping within `timeout_seconds`."""
        try:
            self.ping(timeout_seconds)
        except PyMongoError:
            return False
        return True

    def has_transactions(self) -> bool:
        """Whether the servers can run transactions: a replica set or sharded cluster can.

        Answers from the driver's current view of the servers, and asks them only while it has
        none; raises pymongo errors when they cannot be reached then.
        """
        kinds = self._known_server_types()
        if not kinds:
            self.ping()
            kinds = self._known_server_types()
        return bool(kinds & _WITH_TRANSACTIONS)

    def describe(self) -> str:
        """Hosts and database name, for logs; without credentials and options."""
        return f"{self._hosts}/{self.name}"

    def close(self) -> None:
        """Give the connections back; the object is of no use afterwards. Repeating is harmless."""
        registry.disconnect(self.alias)
        self._client.close()

    def _read(
        self, command: RawDocument, session: ClientSession, codec_options: CodecOptions[Any]
    ) -> Mapping[str, Any]:
        """The answer to a command that reads; raises pymongo errors.

        As the driver's own `command`, without a quarter of its work: to repeat it, which is
        model.operation's part, and to keep the session's times, which only matter where reads may
        go to secondaries. The driver has no public way to that.
        """
        client = self._client
        keeps_times = client.read_preference != ReadPreference.PRIMARY
        if not keeps_times:
            # Named, so that whoever ends the session ends this.
            command["lsid"] = session.session_id
        with client._conn_for_reads(  # noqa: SLF001
            client.read_preference, session, next(iter(command))
        ) as (connection, preference):
            return connection.command(
                self.name,
                command,
                preference,
                codec_options,
                read_concern=self._database.read_concern,
                session=session if keeps_times else None,
                client=client,
            )

    def _known_server_types(self) -> frozenset[str]:
        servers = self._client.topology_description.server_descriptions().values()
        return frozenset(server.server_type_name for server in servers) - {"Unknown"}


def _open_client(
    uri: str, server_selection_seconds: float, listeners: Sequence[monitoring.CommandListener]
) -> MongoClient[RawDocument]:
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("it must begin with mongodb:// or mongodb+srv://")
    defaults: dict[str, Any] = {
        "appname": "inventory-job",
        "serverSelectionTimeoutMS": milliseconds(server_selection_seconds),
        # A server that stands still, or a way to it that swallows everything, is given up after
        # both of these, and what waits for it is tried elsewhere. The driver's 10 seconds would
        # also be how long a server stays out of use after refusing a login.
        "connectTimeoutMS": milliseconds(
            min(server_selection_seconds, _LONGEST_ROUND_TRIP_SECONDS)
        ),
        "heartbeatFrequencyMS": _HEARTBEAT_MILLISECONDS,
        "maxPoolSize": 64,
        # For what has no time limit of its own; a network that swallows everything has no errors.
        "socketTimeoutMS": _LONGEST_SILENCE_MILLISECONDS,
    }
    given = {option.lower() for option in parse_qs(urlsplit(uri).query)}
    return MongoClient(
        uri,
        connect=False,
        event_listeners=list(listeners),
        tz_aware=False,
        datetime_conversion="DATETIME_AUTO",
        retryReads=False,  # model.operation repeats, without waiting for a server for too long
        unicode_decode_error_handler="replace",
        uuidRepresentation="unspecified",  # as any binary: one of a wrong length is no UUID
        **{option: value for option, value in defaults.items() if option.lower() not in given},
    )


def _without_credentials(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    authority = rest.partition("/")[0].partition("?")[0]
    return f"{scheme}://{authority.rpartition('@')[2]}"

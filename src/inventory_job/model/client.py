"""The way to the database: one asynchronous client, and the collections of the models."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, monitoring
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import (
    ConfigurationError,
    InvalidName,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.uri_parser import split_options

from inventory_job.deadline import milliseconds
from inventory_job.errors import Outage
from inventory_job.model.documents import JOB_COLLECTION, JOB_TASK_COLLECTION
from inventory_job.model.outages import outage_of
from inventory_job.results import StoredDocument

_LONGEST_ROUND_TRIP_SECONDS = 2.0
_RENEWAL_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.1

_Result = TypeVar("_Result")


class InvalidDatabase(ValueError):
    """The connection string or the name of the database is malformed; no credentials in it."""


class InvalidDatabaseName(InvalidDatabase):
    """It is the name."""


class Database:
    """One MongoDB database, reached through one AsyncMongoClient, for one event loop.

    Nothing is sent before the first operation, so a server starts without its database. The driver
    repeats a read that failed in passing once (retryable reads), and raises
    ServerSelectionTimeoutError at once when there is no usable server; `with_server` waits for one.
    Each operation says itself how long it may take (`maxTimeMS`).

    Stored data is decoded leniently, as other services wrote it: dates come naive and in UTC,
    those outside the years 1 to 9999 as `bson.datetime_ms.DatetimeMS`; broken UTF-8 comes with
    replacement characters.

    Args:
        uri: MongoDB connection string; its options win over the defaults set here, the
            database in its path only says where to authenticate.
        name: database that holds the collections.
        server_selection_seconds: how long to look for a usable server.
        listeners: receive an event for every command.

    Raises:
        InvalidDatabase: `uri` or `name` is malformed.
    """

    def __init__(
        self,
        uri: str,
        name: str,
        *,
        server_selection_seconds: float = 5.0,
        listeners: Sequence[monitoring.CommandListener] = (),
    ) -> None:
        self.name = name
        self._hosts = without_credentials(uri)
        try:
            options = client_options(uri, server_selection_seconds)
            self._connect = partial(
                AsyncMongoClient[StoredDocument],
                uri,
                connect=False,
                event_listeners=list(listeners),
                **{**options, **_WITHOUT_WAITING},
            )
            self._open(self._connect())
            if not self.client.write_concern.acknowledged:
                raise ValueError("with w=0 the result of deletes is unknown; use w=1")  # noqa: TRY301
        except (ConfigurationError, ValueError) as exc:
            raise InvalidDatabase(f"The MongoDB connection string is not valid: {exc}") from exc
        except InvalidName as exc:
            raise InvalidDatabaseName(f"{name!r} is not a valid database name: {exc}") from exc
        self._selection_seconds: float = _options_of(uri).get(
            "serverSelectionTimeoutMS", server_selection_seconds
        )
        self._renewed_at = -math.inf

    def _open(self, client: AsyncMongoClient[StoredDocument]) -> None:
        self.client = client
        database = client.get_database(self.name)
        self.codec_options = database.codec_options
        """How stored data is decoded."""
        self.jobs = database[JOB_COLLECTION]
        self.undecoded_jobs: AsyncCollection[RawBSONDocument] = self.jobs.with_options(
            codec_options=self.codec_options.with_options(document_class=RawBSONDocument)
        )
        """The same, its documents as the bytes they came in."""
        self.job_tasks = database[JOB_TASK_COLLECTION]

    async def renew(self) -> bool:
        """Replaces the client by a new one, whose connections log in anew;
        whether it did: not if it did so a moment ago.

        A connection whose user is dropped is logged out for good, also when there is such a user
        again, and the driver keeps it. Operations under way end, or fail in passing.
        """
        if time.monotonic() - self._renewed_at < _RENEWAL_SECONDS:
            return False
        self._renewed_at = time.monotonic()
        former = self.client
        self._open(self._connect())
        await former.close()
        return True

    async def with_server(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """What `work` gives or raises: done again while there is no server for it, for
        `server_selection_seconds` at most. For work that has changed nothing when it finds none."""
        ends = time.monotonic() + self._selection_seconds
        while True:
            try:
                return await work()
            except ServerSelectionTimeoutError:
                if time.monotonic() > ends:
                    raise
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def ping(self) -> None:
        """Exchanges a message with the database; raises pymongo errors when there is none."""
        await self.client.admin.command("ping", read_preference=self.client.read_preference)

    async def outage(self, seconds: float) -> Outage | None:
        """Why the database does not answer a ping within so many seconds; None if it does."""
        try:
            with pymongo.timeout(seconds):
                await self.ping()
        except PyMongoError as error:
            return outage_of(error, self.client.topology_description)
        return None

    async def has_transactions(self) -> bool:
        """Whether the database can run transactions: a replica set or sharded cluster can. Raises
        pymongo errors."""
        hello = await self.client.admin.command("hello")
        return "setName" in hello or hello.get("msg") == "isdbgrid"

    def describe(self) -> str:
        """Hosts and database name, for logs; without credentials and options."""
        return f"{self._hosts}/{self.name}"

    async def close(self) -> None:
        """Gives the connections back; the object is of no use afterwards. Repeating is harmless."""
        await self.client.close()


_WITHOUT_WAITING: Mapping[str, Any] = {
    "serverSelectionTimeoutMS": 0,
    "waitQueueTimeoutMS": None,
}
"""A task that is cancelled while the driver waits for a server, or a connection within a time, may
leave the driver's lock taken for good (`asyncio.wait_for` of Python 3.11 over a condition)."""


def _options_of(uri: str) -> Mapping[str, Any]:
    """The valid options of a connection string, by their names in any case, times in seconds; the
    driver warns of the others."""
    options = uri.partition("?")[2]
    return split_options(options, warn=True) if options else {}


def client_options(uri: str, server_selection_seconds: float) -> Mapping[str, Any]:
    """The options of a client for `uri`, those aside that are in it; raises ValueError and
    ConfigurationError where it is no connection string."""
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
        "heartbeatFrequencyMS": 1000,
        "maxPoolSize": 100,
        # For what has no time limit of its own: a network that swallows everything has no errors.
        "socketTimeoutMS": 30_000,
    }
    given = _options_of(uri)
    return {
        "tz_aware": False,
        "datetime_conversion": "DATETIME_AUTO",
        "unicode_decode_error_handler": "replace",
        "uuidRepresentation": "unspecified",  # as any binary: one of a wrong length is no UUID
        **{option: value for option, value in defaults.items() if option not in given},
    }


def without_credentials(uri: str) -> str:
    """The scheme and hosts of a connection string."""
    scheme, _, rest = uri.partition("://")
    authority = rest.partition("/")[0].partition("?")[0]
    return f"{scheme}://{authority.rpartition('@')[2]}"

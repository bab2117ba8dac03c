"""The connection to MongoDB: one asynchronous client, and the collections of the models."""

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
from inventory_job.errors import Outage, Unavailable
from inventory_job.model.documents import JOB_COLLECTION, JOB_TASK_COLLECTION
from inventory_job.model.driver_errors import is_logged_out, translate
from inventory_job.model.outages import outage_of
from inventory_job.results import StoredDocument

_MOST_CONNECT_SECONDS = 2.0
_RENEWAL_INTERVAL_SECONDS = 5.0
_SELECTION_RETRY_SECONDS = 0.1

_Result = TypeVar("_Result")


class InvalidDatabase(ValueError):
    """The connection string or database name is malformed; the text holds no credentials."""


class InvalidDatabaseName(InvalidDatabase):
    """The database name is malformed."""


class Database:
    """One MongoDB database, reached through one AsyncMongoClient, for one event loop.

    The client connects at the first operation, so this service starts without its database. The
    driver retries a read once after a transient error (retryable reads). Without a usable server it
    raises ServerSelectionTimeoutError immediately; `with_server` waits for a server. Callers limit
    the time of each operation (`maxTimeMS`).

    Decoding is lenient, because other services write the data: dates are naive and in UTC, dates
    outside the years 1 to 9999 are `bson.datetime_ms.DatetimeMS`, and invalid UTF-8 becomes
    replacement characters.

    Args:
        uri: MongoDB connection string. Its options override the defaults of `client_options`;
            the database in its path is only the one to authenticate against.
        name: database that holds the collections.
        server_selection_seconds: how long `with_server` waits for a usable server.
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
            self._connect = partial(
                AsyncMongoClient[StoredDocument],
                uri,
                connect=False,
                event_listeners=list(listeners),
                **client_options(uri, server_selection_seconds),
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
        """How BSON is decoded."""
        self.jobs = database[JOB_COLLECTION]
        self.undecoded_jobs: AsyncCollection[RawBSONDocument] = self.jobs.with_options(
            codec_options=self.codec_options.with_options(document_class=RawBSONDocument)
        )
        """The collection of `jobs`, its documents left as undecoded BSON."""
        self.job_tasks = database[JOB_TASK_COLLECTION]

    async def _renew(self) -> bool:
        """Replaces the client by a new one, whose connections authenticate again. Returns False,
        and does nothing, within 5 seconds of the last replacement.

        When a MongoDB user is dropped, its connections are logged out. They stay logged out even
        after the user is created again, and the driver keeps them. Operations in flight on the old
        client finish, or fail with a transient error.
        """
        if time.monotonic() - self._renewed_at < _RENEWAL_INTERVAL_SECONDS:
            return False
        self._renewed_at = time.monotonic()
        former = self.client
        self._open(self._connect())
        await former.close()
        return True

    async def with_server(
        self, work: Callable[[], Awaitable[_Result]], *, is_read: bool = False
    ) -> _Result:
        """Awaits `work()`. Repeats it once after a lost login or, if `is_read`, after a transient
        failure; and on ServerSelectionTimeoutError for at most `server_selection_seconds`. `work`
        must have changed nothing when it raises this error."""
        may_retry = True
        ends = time.monotonic() + self._selection_seconds
        while True:
            try:
                return await work()
            except ServerSelectionTimeoutError:
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(_SELECTION_RETRY_SECONDS)
            except PyMongoError as failure:
                is_mended = may_retry and is_logged_out(failure) and await self._renew()
                is_transient = is_read and isinstance(translate(failure), Unavailable)
                if not may_retry or not (is_mended or is_transient):
                    raise
                may_retry = False
                ends = time.monotonic() + self._selection_seconds

    async def ping(self) -> None:
        """Pings the database; raises pymongo errors when it does not answer."""
        await self.client.admin.command("ping", read_preference=self.client.read_preference)

    async def outage(self, seconds: float) -> Outage | None:
        """Why the database does not answer a ping within `seconds`; None if it answers."""
        try:
            with pymongo.timeout(seconds):
                await self.ping()
        except PyMongoError as error:
            return outage_of(error, self.client.topology_description)
        return None

    async def has_transactions(self) -> bool:
        """Whether the database supports transactions, as replica sets and sharded clusters do.
        Raises pymongo errors."""
        hello = await self.client.admin.command("hello")
        return "setName" in hello or hello.get("msg") == "isdbgrid"

    def describe(self) -> str:
        """Scheme, hosts and database name, for logs; no credentials, no options."""
        return f"{self._hosts}/{self.name}"

    async def close(self) -> None:
        """Closes the connections, for good. Idempotent."""
        await self.client.close()


def _options_of(uri: str) -> Mapping[str, Any]:
    """The valid options of a connection string: names are case-insensitive, times in seconds. The
    driver warns of invalid options, which are left out."""
    options = uri.partition("?")[2]
    return split_options(options, warn=True) if options else {}


def client_options(uri: str, server_selection_seconds: float) -> Mapping[str, Any]:
    """Options for a client of `uri`: how to decode, the defaults that `uri` does not set, no timed
    waits. Raises ValueError or ConfigurationError when `uri` is not a valid connection string."""
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("it must begin with mongodb:// or mongodb+srv://")
    defaults: dict[str, Any] = {
        "appname": "inventory-job",
        # A server that hangs, or whose network silently drops packets, is given up after the sum of
        # connectTimeoutMS and heartbeatFrequencyMS, and its operations are tried elsewhere. A
        # server that refused a login is unused for heartbeatFrequencyMS, by default 10 seconds.
        "connectTimeoutMS": milliseconds(min(server_selection_seconds, _MOST_CONNECT_SECONDS)),
        "heartbeatFrequencyMS": 1000,
        "maxPoolSize": 100,
        # For commands without a timeout: a network that drops packets silently raises no error.
        "socketTimeoutMS": 30_000,
    }
    given = _options_of(uri)
    return {
        "tz_aware": False,
        "datetime_conversion": "DATETIME_AUTO",
        "unicode_decode_error_handler": "replace",
        "uuidRepresentation": "unspecified",  # as Binary: one of a wrong length is no UUID
        **{option: value for option, value in defaults.items() if option not in given},
        # The driver must not wait with a timeout for a server or pooled connection: a task that is
        # cancelled then may leave the driver's lock acquired for ever (Python 3.11,
        # `asyncio.wait_for` on a condition).
        "serverSelectionTimeoutMS": 0,
        "waitQueueTimeoutMS": None,
    }


def without_credentials(uri: str) -> str:
    """The scheme and hosts of a connection string."""
    scheme, _, rest = uri.partition("://")
    authority = rest.partition("/")[0].partition("?")[0]
    return f"{scheme}://{authority.rpartition('@')[2]}"

"""Creates the indexes that a database lacks, and chooses the index to hint for a list."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pymongo
import structlog
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import ConnectionFailure, InvalidOperation, OperationFailure, PyMongoError

from inventory_job.model.client import Database
from inventory_job.model.documents import INDEXES, NEWEST_OF_DOMAIN, NEWEST_OF_WORKSPACE, Index
from inventory_job.query.plans import ListPlan
from inventory_job.results import StoredDocument

_BUILD_SECONDS = 6 * 60 * 60
_RESTRICTIONS = ("partialFilterExpression", "sparse", "collation", "hidden", "expireAfterSeconds")

_REASONS = {
    13: "The database user may not create indexes",
    67: "The collection takes no such index; a sharded one none whose values are unique and whose "
    "keys do not begin with the shard key",
    85: "An index with the same keys has other options",
    86: "An index of this name has other keys or options",
    11000: "Some documents share a value that must be unique",
}


def _serves(index: Index, existing: Mapping[str, Any]) -> bool:
    """Whether an index, as listIndexes returns it, can replace a declared one. Names may differ."""
    return (
        tuple(existing["key"].items()) == index.keys
        and bool(existing.get("unique", False)) >= index.unique
        and not any(existing.get(option) for option in _RESTRICTIONS)
    )


class NewestIndexes:
    """Finds the index to hint for the newest jobs of a scope. Without the hint MongoDB chooses the
    same index, but first runs competing plans until one reaches the page, which takes seconds for
    a deep page (docs/performance.md). The list of indexes is cached for `seconds`."""

    def __init__(self, database: Database, seconds: float = 60.0) -> None:
        self._database = database
        self._seconds = seconds
        self._names: Mapping[Index, str] = {}
        self._listed_at = -math.inf

    async def of(self, plan: ListPlan) -> str | None:
        """The name of the index to hint for the page of `plan`; None if the database lacks it, or
        if it does not cover the sort and the filter. Raises pymongo errors."""
        index = NEWEST_OF_WORKSPACE if plan.jobs.scope.workspace_ids else NEWEST_OF_DOMAIN
        if not plan.is_newest_first or not plan.jobs.fields <= dict(index.keys).keys():
            return None
        if time.monotonic() - self._listed_at > self._seconds:
            self._names = {
                index: existing["name"]
                for existing in await _existing(self._database.jobs)
                for index in (NEWEST_OF_DOMAIN, NEWEST_OF_WORKSPACE)
                if _serves(index, existing)
            }
            self._listed_at = time.monotonic()
        return self._names.get(index)

    def forget(self) -> None:
        """Gives no hints until the indexes are listed again."""
        self._names = {}


async def ensure_indexes(
    database: Database, indexes: Sequence[Index] = INDEXES
) -> Mapping[str, str]:
    """Create the indexes that `database` lacks, one after the other; return the names of the
    refused ones with the reasons.

    Raises no pymongo errors. An index that the database refuses (a read-only user, another index
    of the same name, duplicate values for a unique index) is logged as a warning, and the
    following ones are still tried. If the connection is lost, the remaining ones are refused
    untried. Building an index of a large collection can take minutes, so do not let requests
    wait for this. Concurrent calls are safe.
    """
    log = structlog.get_logger(__name__)
    created: list[str] = []
    refused: dict[str, str] = {}
    for number, index in enumerate(indexes):
        try:
            if await database.with_server(partial(_create, database, index)):
                created.append(index.name)
        except (ConnectionFailure, InvalidOperation):
            reason = "The database cannot be reached"
            log.warning("indexes_not_created", index=index.name, reason=reason)
            refused.update((each.name, reason) for each in indexes[number:])
            break
        except PyMongoError as exc:
            refused[index.name] = _reason(exc)
            log.warning("index_refused", index=index.name, reason=refused[index.name])
    present = len(indexes) - len(created) - len(refused)
    log.info("indexes_ensured", created=created, present=present, refused=list(refused))
    return refused


async def _create(database: Database, index: Index) -> bool:
    """Create the index; False if the database has an equivalent one. Raises pymongo errors."""
    collection = database.jobs.database[index.collection]
    if any(_serves(index, existing) for existing in await _existing(collection)):
        return False
    # A build may take longer than socketTimeoutMS, which this replaces.
    with pymongo.timeout(_BUILD_SECONDS):
        await collection.create_index(list(index.keys), name=index.name, unique=index.unique)
    return True


async def _existing(collection: AsyncCollection[StoredDocument]) -> list[Mapping[str, Any]]:
    try:
        return [index async for index in await collection.list_indexes()]
    except OperationFailure:
        # A user may have the privilege to create indexes but not to list them: try to create.
        return []


def _reason(error: PyMongoError) -> str:
    """Why an index is refused, without MongoDB's message, which may quote a stored value."""
    if not isinstance(error, OperationFailure):
        return f"The driver refused, {type(error).__name__}"
    return f"{_REASONS.get(error.code or 0, 'The database refused')}, error {error.code}"

"""Creating the indexes that a database lacks, and knowing which of them to hint."""

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
    """Whether an index as the database lists it does the work of a declared one, whatever its
    name."""
    return (
        tuple(existing["key"].items()) == index.keys
        and bool(existing.get("unique", False)) >= index.unique
        and not any(existing.get(option) for option in _RESTRICTIONS)
    )


class NewestIndexes:
    """Which index has the newest jobs of a scope in order, for a hint. MongoDB would choose it as
    well, but has others compete with it until one comes to the page, for seconds where that is deep
    (docs/performance.md). The indexes are looked up once in `seconds`, while wanted."""

    def __init__(self, database: Database, seconds: float = 60.0) -> None:
        self._database = database
        self._seconds = seconds
        self._names: Mapping[Index, str] = {}
        self._looked_at = -math.inf

    async def of(self, plan: ListPlan) -> str | None:
        """The index to hint for the page of a plan; None where there is none, or its filter needs
        more than is in there. Raises pymongo errors."""
        index = NEWEST_OF_WORKSPACE if plan.jobs.scope.workspace_ids else NEWEST_OF_DOMAIN
        if not plan.is_newest_first or not plan.jobs.fields <= dict(index.keys).keys():
            return None
        if time.monotonic() - self._looked_at > self._seconds:
            self._names = {
                index: existing["name"]
                for existing in await _existing(self._database.jobs)
                for index in (NEWEST_OF_DOMAIN, NEWEST_OF_WORKSPACE)
                if _serves(index, existing)
            }
            self._looked_at = time.monotonic()
        return self._names.get(index)

    def forget(self) -> None:
        """Knows of none, until looked up again."""
        self._names = {}


async def ensure_indexes(
    database: Database, indexes: Sequence[Index] = INDEXES
) -> Mapping[str, str]:
    """Create the indexes that `database` lacks, one after the other: those that it has not
    afterwards, with the reasons.

    Never raises on an answer of the database: an index that cannot be had (a read-only user,
    another index under its name, duplicates under a unique one) is logged as a warning and
    counted as refused, and the others are still tried; after a lost connection the rest is
    refused untried. Building an index of a large collection can take minutes: call this where
    nothing waits for it. Concurrent calls do no harm.
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
    """Create the index; False when one that serves is there. Raises pymongo errors."""
    collection = database.jobs.database[index.collection]
    if any(_serves(index, existing) for existing in await _existing(collection)):
        return False
    # Building one takes longer than any socket timeout.
    with pymongo.timeout(_BUILD_SECONDS):
        await collection.create_index(list(index.keys), name=index.name, unique=index.unique)
    return True


async def _existing(collection: AsyncCollection[StoredDocument]) -> list[Mapping[str, Any]]:
    try:
        return [index async for index in await collection.list_indexes()]
    except OperationFailure:
        # The right to create indexes may come without that to list them: creation decides.
        return []


def _reason(error: PyMongoError) -> str:
    """Why an index is refused, without the message, which may hold a stored value."""
    if not isinstance(error, OperationFailure):
        return f"The driver refused, {type(error).__name__}"
    return f"{_REASONS.get(error.code or 0, 'The database refused')}, error {error.code}"

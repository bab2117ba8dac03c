"""Reads what finds and pipelines give, no more of it than memory has room for."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from struct import Struct
from typing import Any, TypeAlias

from bson import decode, decode_all
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.errors import OperationFailure

from inventory_job.deadline import Deadline
from inventory_job.errors import InvalidRequest, invalid
from inventory_job.model.client import Database
from inventory_job.model.driver_errors import is_about_lists
from inventory_job.model.indexes import CoveringIndexes
from inventory_job.query.conditions import Page
from inventory_job.query.fields import SHOWN
from inventory_job.query.filters import ScopedFilter
from inventory_job.query.operators import Document
from inventory_job.query.optimizer import covering, in_order, separate_groups
from inventory_job.query.plans import ListPlan
from inventory_job.query.sorting import by_one_of_each_list
from inventory_job.results import StoredDocument

Piece: TypeAlias = bytes | memoryview
"""One or more documents, one after the other, as MongoDB sends them."""

_BATCH = 1000
_UNDECODED: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_LENGTH = Struct("<i")


class Reader:
    """Reads jobs and rows of `database`, at most `result_bytes` as stored for one answer.

    Documents come undecoded, because only so is their size known before they take memory. Every
    method takes the deadline of its call, and raises pymongo errors, InvalidRequest for a result
    that is too large, and RequestTimeout.
    """

    def __init__(self, database: Database, indexes: CoveringIndexes, result_bytes: int) -> None:
        self._database = database
        self._indexes = indexes
        self._result_bytes = result_bytes

    async def page(self, plan: ListPlan, deadline: Deadline) -> list[StoredDocument]:
        """The jobs of a list's page."""
        # The command itself: through the driver's cursor a page takes a third more time.
        jobs = self._database.jobs
        command: Document = {
            "find": jobs.name,
            "filter": plan.jobs.document,
            "projection": projection(plan.fields),
            "sort": plan.order,
            "skip": plan.page.skip,
            "limit": plan.page.size,
            # One more: a cursor whose batch is just full stays open.
            "batchSize": plan.page.size + 1,
            "allowDiskUse": True,
            "maxTimeMS": deadline.milliseconds(),
        }
        hint = in_order(plan.jobs.document, plan.order, self._indexes.known())
        if hint:
            command["hint"] = hint
        cursor: RawBSONDocument = (await self._read(command))["cursor"]
        if not cursor["id"] and len(cursor.raw) <= self._result_bytes:
            documents: list[StoredDocument] = decode(cursor.raw, self._database.codec_options)[
                "firstBatch"
            ]
            return documents
        if cursor["id"]:
            await self._read({"killCursors": jobs.name, "cursors": [cursor["id"]]})
        return await self._page_in_pieces(command)

    async def _page_in_pieces(self, command: Document) -> list[StoredDocument]:
        """The same of a page that is larger than an answer of MongoDB may be, some 16 MiB."""
        batches = self._database.jobs.find_raw_batches(
            command["filter"],
            command["projection"],
            sort=command["sort"],
            skip=command["skip"],
            limit=command["limit"],
            allow_disk_use=True,
            hint=command.get("hint"),
            max_time_ms=command["maxTimeMS"],
        )
        kept = _Kept(command["limit"], self._result_bytes)
        async with batches:
            batch: Any  # bytes, though the cursor is declared as one of documents
            async for batch in batches:
                kept.add(batch)
        return self._decoded(kept)

    async def _read(self, command: Document) -> RawBSONDocument:
        """The answer to a command that reads, undecoded."""
        jobs = self._database.jobs
        if jobs.read_concern.document:
            command = {**command, "readConcern": jobs.read_concern.document}
        answer: Any = await jobs.database.command(
            command, read_preference=jobs.read_preference, codec_options=_UNDECODED
        )
        found: RawBSONDocument = answer
        return found

    async def rows(
        self, jobs: ScopedFilter, stages: Sequence[Document], most: int, deadline: Deadline
    ) -> tuple[list[StoredDocument], int]:
        """The first rows, at most `most`, that a pipeline over `jobs` gives, and how many it gives
        in all."""
        index = covering(jobs.document, stages, self._indexes.known())
        hint: dict[str, Any] = {"hint": index} if index else {}
        pipeline: list[Document] = [{"$match": jobs.document}, *separate_groups(stages)]
        if any(_may_grow(stage) for stage in stages):
            pipeline.append(REFUSING_LARGE_ROWS)

        def run(pipeline: list[Document]) -> Awaitable[AsyncCommandCursor[RawBSONDocument]]:
            # Raw batches would be simpler, but the driver asks for an empty one first.
            return self._database.undecoded_jobs.aggregate(
                pipeline,
                allowDiskUse=True,
                batchSize=_BATCH,
                maxTimeMS=deadline.milliseconds(),
                **hint,
            )

        try:
            cursor = await run(pipeline)
        except OperationFailure as failure:
            if not is_about_lists(failure):
                raise
            cursor = await run(by_one_of_each_list(pipeline))
        kept = _Kept(most, self._result_bytes)
        async with cursor:
            batch: list[RawBSONDocument]
            while batch := await cursor.to_list(_BATCH):
                for row in batch:
                    kept.add(row.raw)
        return self._decoded(kept), kept.seen

    async def count(
        self, jobs: ScopedFilter, stages: Sequence[Document], deadline: Deadline
    ) -> int:
        """How many rows a pipeline over `jobs` gives."""
        rows, _ = await self.rows(jobs, [*stages, {"$count": "total"}], 1, deadline)
        return sum(int(row["total"]) for row in rows)

    def _decoded(self, kept: _Kept) -> list[StoredDocument]:
        return decode_all(b"".join(kept.pieces), self._database.codec_options)


class _Kept:
    """The first `most` documents of those that come, at most `most_bytes` of them."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.pieces: list[Piece] = []
        self.seen = 0
        """How many documents came."""
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0

    def add(self, piece: Piece) -> None:
        """Takes one or more documents; raises InvalidRequest when they are too large."""
        wanted, count = _beginning(piece, self._most - self.seen)
        self.seen += count
        self._bytes += len(wanted)
        if self._bytes > self._most_bytes:
            reason = f"the result is larger than {self._most_bytes} bytes; ask for less"
            raise InvalidRequest(invalid("query", reason))
        self.pieces.append(wanted)


def _beginning(piece: Piece, most: int) -> tuple[Piece, int]:
    """The first documents of a piece, at most `most`, and how many it has."""
    position = count = wanted = 0
    while position < len(piece):
        # A document begins with its length.
        position += _LENGTH.unpack_from(piece, position)[0]
        count += 1
        if count <= most:
            wanted = position
    return piece[:wanted], count


_GATHERING = frozenset({"$push", "$addToSet", "$mergeObjects"})
REFUSING_LARGE_ROWS: Document = {
    "$match": {"$expr": {"$bsonSize": {"row": "$$ROOT", "answer around it": "x" * 1024}}}
}
"""A row that is larger than a document may be is an error of this stage, which passes all others.
Without it MongoDB closes the connection, upon which the driver closes all others as well."""


def _may_grow(stage: Document) -> bool:
    """Whether a stage makes rows larger than what is stored in one document."""
    values = stage.get("$group", {}).values()
    return "$lookup" in stage or any(
        isinstance(value, dict) and value.keys() & _GATHERING for value in values
    )


def projection(fields: tuple[str, ...]) -> Document:
    """What a find returns of each job: these fields, and not its ObjectId."""
    return _ALL_SHOWN if fields is SHOWN else {"_id": 0, **dict.fromkeys(fields, 1)}


_ALL_SHOWN: Document = {"_id": 0, **dict.fromkeys(SHOWN, 1)}


def window(page: Page, size: int) -> list[Document]:
    """The stages that pass over what comes before a page, and end after `size` rows."""
    skip = [{"$skip": page.skip}] if page.skip else []
    return [*skip, {"$limit": size}]


def proven_total(seen: int, most: int, page: Page) -> int | None:
    """How many there are, when a window of at most `most` of which `seen` came proves it."""
    if seen < most and (seen or not page.skip):
        return page.skip + seen
    return None

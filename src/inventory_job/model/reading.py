"""Runs finds, aggregations and distinct commands, with a limit on the bytes of a result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import NoneType

from bson import CodecOptions, decode_all, encode
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.errors import OperationFailure

from inventory_job.deadline import Deadline
from inventory_job.errors import InvalidRequest, invalid
from inventory_job.model.client import Database
from inventory_job.model.driver_errors import is_about_hint, is_about_lists, translated
from inventory_job.model.indexes import NewestIndexes
from inventory_job.query.filters import Page, ScopedFilter
from inventory_job.query.operators import Document
from inventory_job.query.plans import DistinctPlan, ListPlan
from inventory_job.query.rewrites import by_one_of_each_list, separate_groups
from inventory_job.results import Rows, StoredDocument

_BATCH = 1000
_Cursor = AsyncCursor[RawBSONDocument] | AsyncCommandCursor[RawBSONDocument]


class Reader:
    """Reads jobs and rows of `database`, at most `result_bytes` of BSON per result.

    Documents are left undecoded, so that the limit applies before decoded values take memory. Every
    method takes the deadline of its call. It raises pymongo errors, InvalidRequest for a result
    that is too large, and RequestTimeout.
    """

    def __init__(self, database: Database, result_bytes: int) -> None:
        self._database = database
        self._indexes = NewestIndexes(database)
        self._result_bytes = result_bytes

    async def page(self, plan: ListPlan, deadline: Deadline) -> tuple[Rows, int]:
        """The jobs on the page of `plan`, and their number."""
        if not plan.computed:
            try:
                return await self._stored_page(plan, deadline)
            except OperationFailure as failure:
                if not is_about_lists(failure):
                    raise
        stages: list[Document] = [*plan.computed, {"$sort": plan.order}]
        stages += [*plan.page.window(plan.page.size), {"$project": projection(plan.fields)}]
        return await self.rows(plan.jobs, stages, plan.page.size, deadline)

    async def _stored_page(self, plan: ListPlan, deadline: Deadline) -> tuple[Rows, int]:
        """As `page`, by a find: for a plan whose sort keys are all stored fields."""
        cursor = self._database.undecoded_jobs.find(
            plan.jobs.document,
            projection(plan.fields),
            sort=plan.order,
            skip=plan.page.skip,
            limit=plan.page.size,
            # One more than `limit`: after a batch that is just full, the cursor would stay open.
            batch_size=plan.page.size + 1,
            allow_disk_use=True,
            hint=await self._indexes.of(plan),
            max_time_ms=deadline.milliseconds(),
        )
        try:
            return await self._collect(cursor, plan.page.size)
        except OperationFailure as failure:
            if not is_about_hint(failure):
                raise
            # The index was dropped after it was listed.
            self._indexes.forget()
            return await self._stored_page(plan, deadline)

    async def rows(
        self, jobs: ScopedFilter, stages: Sequence[Document], most: int, deadline: Deadline
    ) -> tuple[Rows, int]:
        """The first `most` rows of a pipeline over `jobs`, and the number of all its rows."""
        pipeline: list[Document] = [{"$match": jobs.document}, *separate_groups(stages)]
        if any(_may_grow(stage) for stage in stages):
            pipeline.append(REFUSING_LARGE_ROWS)
        run = partial(self._database.undecoded_jobs.aggregate, allowDiskUse=True, batchSize=_BATCH)
        try:
            cursor = await run(pipeline, maxTimeMS=deadline.milliseconds())
        except OperationFailure as failure:
            if not is_about_lists(failure):
                raise
            rewritten = by_one_of_each_list(pipeline)
            cursor = await run(rewritten, maxTimeMS=deadline.milliseconds())
        return await self._collect(cursor, most)

    async def distinct(self, plan: DistinctPlan, deadline: Deadline) -> tuple[Rows, int]:
        """The distinct values of a path, in MongoDB's sort order. The page's values are the field
        `values` of a single row; the total is the number of all values."""
        jobs, page = self._database.undecoded_jobs, plan.page
        values = await jobs.distinct(
            plan.path, plan.jobs.document, maxTimeMS=deadline.milliseconds()
        )
        if len(values) > plan.limit:
            reason = f"more than {plan.limit} distinct values; narrow the filter"
            raise InvalidRequest(invalid("query.distinct", reason))
        shown = slice(page.skip, page.skip + page.size)
        if {type(value) for value in values} <= {str, NoneType}:
            sorted_ = sorted(values, key=lambda value: (value is not None, value))[shown]
        else:
            # MongoDB sorts the values, which replace an arbitrary job. Each is put in a document:
            # as a sort key, an array compares as a whole only inside one.
            sort: list[Document] = [
                {"$limit": 1},
                {"$project": {"_id": 0, "value": {"$literal": values}}},
                {"$unwind": "$value"},
                {"$replaceRoot": {"newRoot": {"of": {"value": "$value"}}}},
                {"$sort": {"of": 1}},
                *page.window(page.size),
            ]
            cursor = await jobs.aggregate(
                sort, allowDiskUse=True, maxTimeMS=deadline.milliseconds()
            )
            sorted_ = [row["of"]["value"] for row in await cursor.to_list()] or values[shown]
        row = encode({"values": sorted_})
        self._check_size(len(row))
        return self._rows(row), len(values)

    async def count(
        self, jobs: ScopedFilter, stages: Sequence[Document], deadline: Deadline
    ) -> int:
        """The number of rows that a pipeline over `jobs` returns."""
        rows, _ = await self.rows(jobs, [*stages, {"$count": "total"}], 1, deadline)
        return sum(int(row["total"]) for row in rows.decoded())

    async def _collect(self, cursor: _Cursor, most: int) -> tuple[Rows, int]:
        """The first `most` documents of a cursor, and the number of all its documents."""
        content = bytearray()
        seen = 0
        async with cursor:
            async for document in cursor:
                seen += 1
                if seen <= most:
                    content += document.raw
                    self._check_size(len(content))
        return self._rows(content), seen

    def _check_size(self, size: int) -> None:
        if size > self._result_bytes:
            reason = f"the result is larger than {self._result_bytes} bytes; ask for less"
            raise InvalidRequest(invalid("query", reason))

    def _rows(self, content: bytes | bytearray) -> Rows:
        return Rows(len(content), partial(_decoded, content, self._database.codec_options))


def _decoded(
    content: bytes | bytearray, options: CodecOptions[StoredDocument]
) -> list[StoredDocument]:
    with translated():
        return decode_all(content, options)


_GATHERING = frozenset({"$push", "$addToSet", "$mergeObjects"})
REFUSING_LARGE_ROWS: Document = {
    "$match": {"$expr": {"$bsonSize": {"row": "$$ROOT", "answer around it": "x" * 1024}}}
}
"""A stage that fails for a row larger than MongoDB's document limit and passes every other row.
Without it MongoDB closes the connection, and then the driver closes its other connections too."""


def _may_grow(stage: Document) -> bool:
    """Whether a stage can build rows larger than one stored document."""
    values = stage.get("$group", {}).values()
    return "$lookup" in stage or any(
        isinstance(value, dict) and value.keys() & _GATHERING for value in values
    )


def projection(fields: tuple[str, ...]) -> Document:
    """The projection to `fields`, without the ObjectId in `_id`."""
    return {"_id": 0, **dict.fromkeys(fields, 1)}


def proven_total(seen: int, most: int, page: Page) -> int | None:
    """The total, if it follows from the `seen` rows of a page read with limit `most`; else None."""
    if seen < most and (seen or not page.skip):
        return page.skip + seen
    return None

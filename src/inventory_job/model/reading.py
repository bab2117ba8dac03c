"""Reads what pipelines and finds give, no more of it than memory has room for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any, TypeAlias

from bson import decode_all
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession

from inventory_job.errors import InvalidRequest, invalid
from inventory_job.model.client import Database
from inventory_job.model.commands import RawDocument
from inventory_job.model.indexes import CoveringIndexes
from inventory_job.query.conditions import Page
from inventory_job.query.filters import ScopedFilter
from inventory_job.query.operators import Document
from inventory_job.query.optimizer import tune

Piece: TypeAlias = bytes | memoryview
"""One or more documents, one after the other, as MongoDB sends them."""

_BATCH = 1000
_LENGTH = Struct("<i")


class Reader:
    """Reads jobs and rows of `database`, at most `result_bytes` as stored for one answer."""

    def __init__(self, database: Database, indexes: CoveringIndexes, result_bytes: int) -> None:
        self._database = database
        self._indexes = indexes
        self.result_bytes = result_bytes
        self._undecoded = database.jobs.with_options(
            codec_options=CodecOptions(document_class=RawBSONDocument)
        )

    def rows(
        self, jobs: ScopedFilter, stages: Sequence[Document], session: ClientSession, most: int
    ) -> tuple[list[RawDocument], int]:
        """The first documents that a pipeline over `jobs` gives, and how many it gives in all; as
        `read`."""
        return self.read(self._aggregate(jobs, stages, session), most)

    def _aggregate(
        self, jobs: ScopedFilter, stages: Sequence[Document], session: ClientSession
    ) -> Iterable[Piece]:
        """The documents that a pipeline gives, each as it came."""
        tuned = tune(jobs.document, stages, self._indexes.known())
        pipeline = [{"$match": jobs.document}, *tuned.stages]
        hint: dict[str, Any] = {"hint": tuned.hint} if tuned.hint else {}
        # Raw batches would be simpler, but the driver asks for an empty one first.
        rows = self._undecoded.aggregate(
            pipeline, session=session, allowDiskUse=True, batchSize=_BATCH, **hint
        )
        return (row.raw for row in rows)

    def read(self, pieces: Iterable[Piece], most: int) -> tuple[list[RawDocument], int]:
        """The first documents, decoded, at most `most`; and how many there are in all.

        Each piece holds one or more. They come undecoded, because only so is their size known
        before they take memory: a page of large rows could otherwise take all there is.
        """
        kept: list[Piece] = []
        seen = size = 0
        for piece in pieces:
            wanted, count = _beginning(piece, most - seen)
            seen += count
            size += len(wanted)
            if size > self.result_bytes:
                reason = f"the result is larger than {self.result_bytes} bytes; ask for less"
                raise InvalidRequest(invalid("query", reason))
            kept.append(wanted)
        return decode_all(b"".join(kept), self._database.jobs.codec_options), seen


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


def projection(fields: tuple[str, ...]) -> Document:
    return {"_id": 0, **dict.fromkeys(fields, 1)}


def window(page: Page, size: int) -> list[Document]:
    skip = [{"$skip": page.skip}] if page.skip else []
    return [*skip, {"$limit": size}]


def proven_total(seen: int, most: int, page: Page) -> int | None:
    """How many there are, when a window of at most `most` of which `seen` came proves it."""
    if seen < most and (seen or not page.skip):
        return page.skip + seen
    return None

"""The commands that read jobs, and what their answers hold. Pure.

A command itself costs half of what the driver's cursor for it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import encode
from bson.raw_bson import RawBSONDocument

RawDocument = dict[str, Any]
"""A document as it is stored: field name to BSON value, dates naive and in UTC."""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which documents, which of their fields, in which order, and which of those: as MongoDB's
    find has it."""

    filter: RawDocument
    projection: Mapping[str, Any]
    order: RawDocument
    skip: int
    size: int
    hint: str | None = None
    """The name of the index to read."""


def encoded(document: RawDocument) -> RawBSONDocument:
    """A document to be part of many commands, encoded once."""
    return RawBSONDocument(encode(document))


def find_one(
    collection: str, filter_: RawDocument, projection: Mapping[str, Any], seconds: float
) -> RawDocument:
    """The command that finds one document, in at most `seconds`."""
    return {
        "find": collection,
        "filter": filter_,
        "projection": projection,
        "limit": 1,
        "singleBatch": True,
        "maxTimeMS": milliseconds(seconds),
    }


def find_page(collection: str, query: PageQuery, seconds: float) -> RawDocument:
    """The command that finds a page, in at most `seconds`; in one batch, if that is not larger
    than a document may be (some 16 MiB)."""
    return {
        "find": collection,
        "filter": query.filter,
        "projection": query.projection,
        "sort": query.order,
        "skip": query.skip,
        "limit": query.size,
        # One more: a cursor whose batch is just full stays open.
        "batchSize": query.size + 1,
        "allowDiskUse": True,
        "maxTimeMS": milliseconds(seconds),
        **({"hint": query.hint} if query.hint else {}),
    }


def milliseconds(seconds: float) -> int:
    """As MongoDB takes times: at least one, since zero is no limit."""
    return max(1, round(seconds * 1000))

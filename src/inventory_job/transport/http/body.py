"""Bodies of requests and answers: bytes, compressed or not, within limits."""

from __future__ import annotations

import asyncio
import codecs
import gzip
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from email.message import Message
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request

from inventory_job.errors import Overloaded
from inventory_job.transport.http.status import NotServed, RequestTooLarge

# What JSON may be in: UTF-8, and ASCII, which is a part of it.
_CHARSETS = frozenset({"utf-8", "ascii"})
_GZIP = frozenset({"gzip", "x-gzip"})
# Compressed files may be put together, each a member of the result.
_MOST_MEMBERS = 1000
# A list of ids takes a tenth; what takes less than this was made to look small.
_MOST_GROWTH = 100
_UNSUSPICIOUS_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024
_PIECE_BYTES = 16 * 1024
_LEAST_COMPRESSED_BYTES = 1024
# Above this the answers grow hardly smaller, only slower.
_LEVEL = 4


class BodyReader:
    """Reads bodies: of at most `most_bytes` each, within `seconds`, `held_bytes` of all together.

    A body is counted until it is given back. For one event loop.
    """

    def __init__(self, most_bytes: int, held_bytes: int, seconds: float) -> None:
        self._most_bytes = most_bytes
        self._free_bytes = held_bytes
        self._seconds = seconds

    async def read(self, request: Request) -> bytes:
        """The body of a request as sent, to be given back with `release`.

        Raises NotServed, RequestTooLarge, Overloaded, and starlette's ClientDisconnect.
        """
        check_headers(request.headers)
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most_bytes:
            raise RequestTooLarge(self._most_bytes)
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in request.stream():
                    self._take(body, chunk)
        except TimeoutError as error:
            self.release(body)
            reason = f"it did not arrive within {self._seconds:g} seconds"
            raise NotServed(408, "body", reason, {"connection": "close"}) from error
        except BaseException:
            self.release(body)
            raise
        return bytes(body)

    def release(self, body: bytes | bytearray) -> None:
        """Gives back the bytes that `body` takes of those held."""
        self._free_bytes += len(body)

    def _take(self, body: bytearray, chunk: bytes) -> None:
        if len(body) + len(chunk) > self._most_bytes:
            raise RequestTooLarge(self._most_bytes)
        if len(chunk) > self._free_bytes:
            raise Overloaded("too many bodies at once")
        self._free_bytes -= len(chunk)
        body += chunk


def check_headers(headers: Headers) -> None:
    """Raises NotServed unless the body is JSON, plain or compressed by gzip.

    It has to be said, too: a page of another origin cannot send JSON without being allowed to.
    """
    if not _is_json(headers):
        raise NotServed(
            415,
            "content-type",
            "it must be application/json, in UTF-8",
            {"accept": "application/json"},
        )
    if _encoding(headers) not in {"", "identity", *_GZIP}:
        raise NotServed(
            415, "content-encoding", "it must be gzip, or none", {"accept-encoding": "gzip"}
        )


def decompressed(body: bytes, headers: Headers, most_bytes: int) -> bytes:
    """The body as it was before it was compressed; raises NotServed and RequestTooLarge."""
    if _encoding(headers) not in _GZIP:
        return body
    most_grown = max(_MOST_GROWTH * len(body), _UNSUSPICIOUS_BYTES)
    content = bytearray()
    for piece in _inflated(memoryview(body), min(most_bytes, most_grown) + 1):
        content += piece
        if len(content) > most_bytes:
            raise RequestTooLarge(most_bytes)
        if len(content) > most_grown:
            reason = f"it is more than {_MOST_GROWTH} times as large as it was compressed"
            raise NotServed(413, "body", reason)
    return bytes(content)


def _inflated(body: memoryview, most_bytes: int) -> Iterator[bytes]:
    """The pieces of what the gzip members of `body` hold, each of at most `most_bytes`."""
    members = 0
    inflater: Any = None
    for start in range(0, len(body), _CHUNK_BYTES):
        rest: Any = body[start : start + _CHUNK_BYTES]
        while rest:
            if inflater is None:
                members += 1
                inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            if members > _MOST_MEMBERS:
                raise NotServed(400, "body", f"it has more than {_MOST_MEMBERS} gzip members")
            try:
                yield inflater.decompress(rest, most_bytes)
            except zlib.error as error:
                raise NotServed(400, "body", "it is not compressed by gzip") from error
            rest = inflater.unused_data or inflater.unconsumed_tail
            if inflater.eof:
                inflater = None
    if inflater is not None or not members:
        raise NotServed(400, "body", "it ends within a gzip member")


def accepts_gzip(headers: Headers) -> bool:
    """Whether the client takes answers compressed by gzip."""
    for offer in ",".join(headers.getlist("accept-encoding")).lower().split(","):
        coding, _, quality = offer.partition(";")
        if coding.strip() in ("gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", quality)
    return False


def compressed(content: bytes) -> bytes | None:
    """`content` in gzip's form; None when that is not worth it."""
    if len(content) < _LEAST_COMPRESSED_BYTES:
        return None
    return gzip.compress(content, _LEVEL, mtime=0)


async def pieces_of(content: bytes) -> AsyncIterator[bytes]:
    """`content` in pieces, each to be sent once the client has taken most of those before: whatever
    is sent at once would be in memory, and its sending over, however little the client reads."""
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


def _is_json(headers: Headers) -> bool:
    said = Message()
    said["content-type"] = ",".join(headers.getlist("content-type"))
    if said.get_content_type() != "application/json":
        return False
    try:
        return codecs.lookup(said.get_content_charset("utf-8")).name in _CHARSETS
    except (LookupError, ValueError):
        return False


def _encoding(headers: Headers) -> str:
    return ",".join(headers.getlist("content-encoding")).strip().lower()

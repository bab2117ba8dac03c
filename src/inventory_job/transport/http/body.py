"""Bodies of requests and responses: size limits, and gzip."""

from __future__ import annotations

import asyncio
import codecs
import gzip
import re
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from email.message import Message
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from inventory_job.errors import Overloaded
from inventory_job.transport.http.status import NotServed, RequestTooLarge
from inventory_job.transport.limiter import LARGE_BYTES

# The encodings accepted for JSON: UTF-8, and its subset ASCII.
_CHARSETS = frozenset({"utf-8", "ascii"})
_GZIP = frozenset({"gzip", "x-gzip"})
# A gzip file may be a concatenation of compressed files, called members (RFC 1952).
_MOST_MEMBERS = 1000
# A list of ids compresses to a tenth; a higher ratio than this is a decompression bomb.
_MOST_GROWTH = 100
_UNSUSPICIOUS_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024
_PIECE_BYTES = 16 * 1024
_LEAST_COMPRESSED_BYTES = 1024
# Higher levels make responses hardly smaller, but take longer.
_LEVEL = 4
_MOST_BODIES = 16


class BodyReader:
    """Reads bodies of at most `most_bytes`, before and after they are decompressed, which clients
    may take `seconds` to send. The bodies of all requests in flight have no more bytes than
    _MOST_BODIES of the largest size together. For one event loop."""

    def __init__(self, most_bytes: int, seconds: float) -> None:
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._free_bytes = _MOST_BODIES * most_bytes

    async def read(self, request: Request) -> bytearray:
        """The body of a request as sent, not decompressed.

        Raises NotServed, RequestTooLarge, Overloaded, and starlette's ClientDisconnect.
        """
        _check_headers(request.headers)
        # h11 has refused a content-length that is not a number.
        if int(request.headers.get("content-length", 0)) > self._most_bytes:
            raise RequestTooLarge(self._most_bytes)
        body = bytearray()
        request.state.sent.callback(self._release, body)
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > self._most_bytes:
                        raise RequestTooLarge(self._most_bytes)
                    if len(chunk) > self._free_bytes:
                        raise Overloaded("too many bodies at once")
                    self._free_bytes -= len(chunk)
                    body += chunk
        except TimeoutError as error:
            reason = f"it did not arrive within {self._seconds:g} seconds"
            raise NotServed(408, "body", reason, {"connection": "close"}) from error
        return body

    def _release(self, body: bytearray) -> None:
        self._free_bytes += len(body)

    def decompressed(self, body: bytearray, headers: Headers) -> bytearray:
        """The body decompressed, if it is gzip; raises NotServed and RequestTooLarge."""
        if _encoding(headers) not in _GZIP:
            return body
        most_grown = max(_MOST_GROWTH * len(body), _UNSUSPICIOUS_BYTES)
        content = bytearray()
        for piece in _inflated(memoryview(body), min(self._most_bytes, most_grown) + 1):
            content += piece
            if len(content) > self._most_bytes:
                raise RequestTooLarge(self._most_bytes)
            if len(content) > most_grown:
                reason = f"it is more than {_MOST_GROWTH} times as large as it was compressed"
                raise NotServed(413, "body", reason)
        return content


def _check_headers(headers: Headers) -> None:
    """Raises NotServed unless the body is JSON, plain or compressed by gzip.

    The content-type is required: a page of another origin can send JSON only if CORS allows it.
    """
    if not _is_json(headers):
        reason = "it must be application/json, in UTF-8"
        raise NotServed(415, "content-type", reason, {"accept": "application/json"})
    if _encoding(headers) not in {"", "identity", *_GZIP}:
        reason = "it must be gzip, or none"
        raise NotServed(415, "content-encoding", reason, {"accept-encoding": "gzip"})


def _inflated(body: memoryview, most_bytes: int) -> Iterator[bytes]:
    """The decompressed gzip members of `body`, in pieces of at most `most_bytes`."""
    members = 0
    inflater: Any = None
    for start in range(0, len(body), _CHUNK_BYTES):
        rest: Any = body[start : start + _CHUNK_BYTES]
        while rest:
            if inflater is None or inflater.eof:
                members += 1
                inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            if members > _MOST_MEMBERS:
                raise NotServed(400, "body", f"it has more than {_MOST_MEMBERS} gzip members")
            try:
                yield inflater.decompress(rest, most_bytes)
            except zlib.error as error:
                raise NotServed(400, "body", "it is not compressed by gzip") from error
            rest = inflater.unused_data or inflater.unconsumed_tail
    if inflater is None or not inflater.eof:
        raise NotServed(400, "body", "it ends within a gzip member")


def accepts_gzip(headers: Headers) -> bool:
    """Whether the client accepts responses compressed by gzip."""
    for offer in ",".join(headers.getlist("accept-encoding")).lower().split(","):
        coding, _, quality = offer.partition(";")
        if coding.strip() in ("gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", quality)
    return False


def compressed(content: bytes) -> bytes | None:
    """`content` compressed by gzip; None if it is too short to be worth it."""
    if len(content) < _LEAST_COMPRESSED_BYTES:
        return None
    return gzip.compress(content, _LEVEL, mtime=0)


def content_response(content: bytes, smaller: bytes | None, headers: Mapping[str, str]) -> Response:
    """A response with `content`, or with `smaller`, the same `compressed`, unless it is None."""
    sent = content
    if smaller is not None:
        sent, headers = smaller, {**headers, "content-encoding": "gzip"}
    if len(sent) <= LARGE_BYTES:
        return Response(sent, headers=headers)
    length = {"content-length": str(len(sent))}
    return StreamingResponse(_pieces_of(sent), headers={**headers, **length})


async def _pieces_of(content: bytes) -> AsyncIterator[bytes]:
    """`content` in pieces, for back-pressure: each is sent once the client has read most of those
    before. Sent at once, it would be buffered in memory and count as sent, though not read."""
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

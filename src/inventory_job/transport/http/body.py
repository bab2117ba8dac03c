"""Bodies of requests and answers: bytes, compressed or not, within limits."""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib

from starlette.datastructures import Headers
from starlette.requests import Request

from inventory_job.errors import Overloaded
from inventory_job.transport.http.status import NotServed, RequestTooLarge

_JSON = re.compile(r"application/json\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)
_LEAST_COMPRESSED_BYTES = 1024
# Above this the answers grow hardly smaller, only slower.
_LEVEL = 4


class Intake:
    """Reads bodies: of at most `most_bytes` each, within `seconds`, `held_bytes` of all together.

    A body is counted until it is given back. For one event loop.
    """

    def __init__(self, most_bytes: int, held_bytes: int, seconds: float) -> None:
        self._most_bytes = most_bytes
        self._room = held_bytes
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
        """Gives the room for `body` back."""
        self._room += len(body)

    def _take(self, body: bytearray, chunk: bytes) -> None:
        if len(body) + len(chunk) > self._most_bytes:
            raise RequestTooLarge(self._most_bytes)
        if len(chunk) > self._room:
            raise Overloaded
        self._room -= len(chunk)
        body += chunk


def check_headers(headers: Headers) -> None:
    """Raises NotServed unless the body is JSON, plain or compressed by gzip.

    It has to be said, too: a page of another origin cannot send JSON without being allowed to.
    """
    if not _JSON.fullmatch(headers.get("content-type", "").strip()):
        raise NotServed(
            415, "content-type", "it must be application/json", {"accept": "application/json"}
        )
    if _encoding(headers) not in ("", "identity", "gzip"):
        raise NotServed(
            415, "content-encoding", "it must be gzip, or none", {"accept-encoding": "gzip"}
        )


def decompressed(body: bytes, headers: Headers, most_bytes: int) -> bytes:
    """The body as it was before it was compressed; raises NotServed and RequestTooLarge."""
    if _encoding(headers) != "gzip":
        return body
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = inflater.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise NotServed(400, "body", "it is not compressed by gzip") from error
    if len(content) > most_bytes:
        raise RequestTooLarge(most_bytes)
    if not inflater.eof or inflater.unused_data:
        raise NotServed(400, "body", "it is not one whole gzip member")
    return content


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


def _encoding(headers: Headers) -> str:
    return ",".join(headers.getlist("content-encoding")).strip().lower()

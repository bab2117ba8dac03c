"""HTTP/2 frames as no library would send them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _RST_STREAM, _SETTINGS = 1, 3, 4
_END_HEADERS = 4
_CANCEL = 8
_PATIENCE_SECONDS = 1.0
_LAST_STREAM = 2**31 - 1


class RawConnection:
    """A connection that opens streams by their headers alone, and may reset them at once, as a
    context manager."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=_PATIENCE_SECONDS)
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0))
        self._next_stream = 1

    def open_and_reset(self, headers: Iterable[tuple[str, str]], count: int) -> None:
        """Opens so many streams, each reset before it has a message; raises OSError once the
        server has had enough."""
        block = b"".join(_literal(name, value) for name, value in headers)
        sent = bytearray()
        for _ in range(count):
            sent += _frame(_HEADERS, _END_HEADERS, self._next_stream, block)
            sent += _frame(_RST_STREAM, 0, self._next_stream, struct.pack(">I", _CANCEL))
            self._next_stream += 2
        if self._next_stream > _LAST_STREAM - 2 * count:
            raise OSError("no stream is left")
        self._socket.sendall(sent)
        self._drop_what_came()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _drop_what_came(self) -> None:
        self._socket.setblocking(False)
        try:
            while data := self._socket.recv(65_536):
                del data
        except BlockingIOError:
            self._socket.settimeout(_PATIENCE_SECONDS)
            return
        raise OSError("the server has closed the connection")


def call_headers(address: str, path: str) -> list[tuple[str, str]]:
    """The headers of a gRPC call."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", address),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: str, value: str) -> bytes:
    """A header field of HPACK, literal and without an index; each text of 126 bytes at most."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

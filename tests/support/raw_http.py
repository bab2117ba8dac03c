"""Requests as bytes, for what no client would send."""

from __future__ import annotations

import socket

TENANT = {"content-type": "application/json", "x-domain-id": "domain-busy"}


def head(path: str, length: int, *, last: str = "\r\n") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: test", f"content-length: {length}"]
    lines += [f"{name}: {value}" for name, value in TENANT.items()]
    return ("\r\n".join(lines) + "\r\n" + last).encode()


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))

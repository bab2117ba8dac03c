"""Listening sockets: on every address that a host name resolves to, or on none."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Literal

from inventory_job.transport.tls import TlsFiles

_BACKLOG = 512
_ATTEMPTS = 10
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class PortInUse(Exception):
    """The server cannot listen on this address; `wrong` is the part to change."""

    def __init__(self, host: str, port: int, reason: str, wrong: Literal["host", "port"]) -> None:
        super().__init__(f"Cannot listen on {address_of(host, port)}: {reason}.")
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class PortOptions:
    """Where a port listens, its TLS files, and the grace period for calls when it stops."""

    host: str
    port: int
    tls: TlsFiles | None
    grace_seconds: float


def address_of(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bound_sockets(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on those addresses of `host` that this machine has, all with the same port.
    Port 0 takes a port that is free on all; `::` listens on IPv4 as well. Raises PortInUse."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PortInUse(host, port, reason, "host") from error
    addresses = dict.fromkeys((family, address) for family, _, _, _, address in found)
    # A port that is free on one address may be in use on another: so port 0 is tried again.
    for _ in range(0 if port else _ATTEMPTS):
        with suppress(PortInUse):
            return _bound(host, port, addresses)
    return _bound(host, port, addresses)


def free_addresses(host: str, port: int) -> list[str]:
    """The addresses that `bound_sockets` would listen on. Raises PortInUse."""
    names = []
    for bound in bound_sockets(host, port):
        with bound:
            # Unlike the first member of getsockname, it has the scope (`%eth0`), if there is one.
            names.append(socket.getnameinfo(bound.getsockname(), socket.NI_NUMERICHOST)[0])
    return names


def _bound(
    host: str, port: int, addresses: Iterable[tuple[socket.AddressFamily, Any]]
) -> list[socket.socket]:
    with ExitStack() as opened:
        bound: list[socket.socket] = []
        absent: OSError | None = None
        for family, (name, _, *scope) in addresses:
            number = bound[0].getsockname()[1] if bound else port
            try:
                bound.append(opened.enter_context(_listening(family, (name, number, *scope))))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise PortInUse(host, number, _reason(error), "port") from error
                # On a machine without IPv6, a name may still resolve to an IPv6 address: skip it.
                absent = error
        if absent is not None and not bound:
            raise PortInUse(host, port, _reason(absent), "host") from absent
        opened.pop_all()
        return bound


def _listening(family: socket.AddressFamily, address: Any) -> socket.socket:
    made = socket.create_server(
        address,
        family=family,
        backlog=_BACKLOG,
        dualstack_ipv6=address[0] == "::" and socket.has_dualstack_ipv6(),
    )
    # asyncio sets TCP_NODELAY only on sockets whose protocol is given; without it the second part
    # of a response waits 40 ms for the acknowledgement of the first.
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, made.detach())


def _reason(error: OSError) -> str:
    """The error message of the system, without the address that Python adds to it."""
    return str(error) if error.errno is None else os.strerror(error.errno)

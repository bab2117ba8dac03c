"""Listening sockets: on every address that a host name resolves to, or on none."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Literal

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
    addresses = _addresses(host, port)
    # A port that is free on one address may be in use on another: so port 0 is tried again.
    for _ in range(0 if port else _ATTEMPTS):
        with suppress(PortInUse):
            return _bound(host, port, addresses)
    return _bound(host, port, addresses)


def free_addresses(host: str, port: int) -> list[str]:
    """The addresses that `bound_sockets` would listen on. Raises PortInUse."""
    bound = bound_sockets(host, port)
    # Return an address as given: it may have a scope (`%eth0`), which getsockname leaves out.
    names = [str(each.getsockname()[0]) for each in bound]
    for each in bound:
        each.close()
    return [host] if _is_address(host) else names


def _addresses(host: str, port: int) -> list[str]:
    if _is_address(host):
        return [host]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PortInUse(host, port, reason, "host") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bound(host: str, port: int, addresses: list[str]) -> list[socket.socket]:
    with ExitStack() as opened:
        bound: list[socket.socket] = []
        for address in addresses:
            number = bound[0].getsockname()[1] if bound else port
            try:
                bound.append(opened.enter_context(_listening(address, number)))
            except OSError as error:
                is_absent = error.errno in _ABSENT
                # On a machine without IPv6, a name may still resolve to an IPv6 address: skip it.
                if not is_absent or (not bound and address == addresses[-1]):
                    wrong: Literal["host", "port"] = "host" if is_absent else "port"
                    raise PortInUse(host, number, _reason(error), wrong) from error
        opened.pop_all()
        return bound


def _listening(address: str, port: int) -> socket.socket:
    is_ipv6 = ":" in address
    made = socket.create_server(
        (address, port),
        family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
        backlog=_BACKLOG,
        dualstack_ipv6=address == "::" and socket.has_dualstack_ipv6(),
    )
    # asyncio sets TCP_NODELAY only on sockets whose protocol is given; without it the second part
    # of a response waits 40 ms for the acknowledgement of the first.
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, made.detach())


def _reason(error: OSError) -> str:
    """The error message of the system, without the address that Python adds to it."""
    return str(error) if error.errno is None else os.strerror(error.errno)

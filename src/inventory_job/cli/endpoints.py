"""Where a server is, as people write it, and what it is that they reached instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_TLS_OF_SCHEMES: Mapping[str, bool] = MappingProxyType(
    {"http": False, "grpc": False, "https": True, "grpcs": True, "grpc+ssl": True}
)
_GRPC_SCHEMES = frozenset({"dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds"})
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s\[\]/?#@:]+):(?P<port>\d{1,5})/?")
# What gRPC says of a server that answers in HTTP/1.
_HTTP_1 = "http1.x"


class InvalidEndpoint(ValueError):
    """An endpoint that is none; the message says what is wrong."""


def parse_endpoint(text: str, *, tls: bool) -> tuple[str, bool]:
    """The target for gRPC and whether it has TLS, of `HOST:PORT` or a URL of http, https, grpc,
    grpcs or grpc+ssl; gRPC's own names stay as they are. `tls` is the option given beside it.

    Raises InvalidEndpoint.
    """
    match = _SCHEME.fullmatch(text.strip())
    if not match or match["scheme"].lower() in _GRPC_SCHEMES:
        return text.strip(), tls
    scheme = match["scheme"].lower()
    if scheme not in _TLS_OF_SCHEMES:
        known = ", ".join(f"{name}://" for name in _TLS_OF_SCHEMES)
        raise InvalidEndpoint(f"{scheme}:// is unknown; it is HOST:PORT, or begins with {known}")
    authority = _AUTHORITY.fullmatch(match["rest"])
    if not authority:
        raise InvalidEndpoint(f"behind {scheme}:// stands HOST:PORT, and no more")
    if tls and not _TLS_OF_SCHEMES[scheme]:
        raise InvalidEndpoint(f"{scheme}:// is without TLS, and --tls asks for it")
    return f"{authority['host']}:{authority['port']}", _TLS_OF_SCHEMES[scheme]


def hint(details: str) -> str:
    """What gRPC's words for a failure mean for the endpoint, to be put behind them, or nothing."""
    if _HTTP_1 in details:
        return (
            "; this port speaks HTTP/1, as the server's HTTP port does: --endpoint is the gRPC port"
        )
    return ""

"""Parses the endpoints that users write, and explains connection errors. Pure functions."""

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
# Part of gRPC's error message about a server that answers in HTTP/1.
_HTTP_1 = "http1.x"


class InvalidEndpoint(ValueError):
    """The text is not an endpoint; the message says what is wrong."""


def parse_endpoint(text: str, *, tls: bool) -> tuple[str, bool]:
    """The gRPC target and whether to use TLS, for `HOST:PORT` or a URL with the scheme http,
    https, grpc, grpcs or grpc+ssl; gRPC's own target names are kept. `tls` is the --tls option.

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
    """An explanation to append to gRPC's error message `details`, or an empty string."""
    if _HTTP_1 in details:
        return (
            "; this port speaks HTTP/1, as the server's HTTP port does: --endpoint is the gRPC port"
        )
    return ""

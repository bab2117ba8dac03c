"""The types of setting values, with parsing and validation."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SHOWN = 100


def as_host(name: str) -> str:
    """A host name in lower case, or an IP address without brackets; raises ValueError."""
    is_bracketed = name.startswith("[") and name.endswith("]")
    try:
        return str(ipaddress.ip_address(name[1:-1] if is_bracketed else name))
    except ValueError:
        if not _HOST_NAME.fullmatch(name.lower()):
            reason = f"{name[:_SHOWN]!r} is no host's name or address (without a port)"
            raise ValueError(reason) from None
        return name.lower()


def as_origin(text: str) -> str:
    """An origin in the form that browsers send, or `*` for all; raises ValueError."""
    if text == "*":
        return text
    reason = (
        f"{text[:_SHOWN]!r} is no origin: http:// or https://, a host and, if need be, a port, "
        "without a path; or * for all"
    )
    try:
        parts = urlsplit(text)
        host, port = as_host(parts.hostname or ""), parts.port
    except ValueError:
        raise ValueError(reason) from None
    host = f"[{host}]" if ":" in host else host
    full = f"{parts.scheme}://{host}" if port is None else f"{parts.scheme}://{host}:{port}"
    # `full` lacks everything else that the text may have: a path, a user, a query, blanks.
    if parts.scheme not in _DEFAULT_PORTS or full != text.lower():
        raise ValueError(reason)
    return f"{parts.scheme}://{host}" if port == _DEFAULT_PORTS[parts.scheme] else full


def _entries(value: Any) -> Any:
    """Parses text: a JSON list, or comma-separated entries. Other values are left alone."""
    if not isinstance(value, str):
        return value
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        decoded = None
    entries = decoded if isinstance(decoded, list) else [each.strip() for each in value.split(",")]
    if "" in entries:
        raise ValueError("it is empty, or one of its entries is; without the setting there is none")
    return entries


def _each(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda texts: tuple(check(text) for text in texts))


def _not_empty(value: Any) -> Any:
    if value == "":
        raise ValueError("it is empty, not a path")
    return value


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home directory for {path.parts[0][:_SHOWN]!r}") from None


Host = Annotated[str, AfterValidator(as_host)]
"""The name or address of a host."""

Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_entries), _each(as_host)]
"""Hosts, from a tuple, a JSON list or comma-separated text."""

Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_entries), _each(as_origin)]
"""Origins, from a tuple, a JSON list or comma-separated text."""

Location = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(_expanded)]
"""A path, in which a leading `~` is replaced by the home directory."""

Port = Annotated[int, Field(ge=0, le=65535)]

Seconds = Annotated[float, Field(ge=0, le=1e6)]
"""A duration. gRPC, which counts milliseconds in 32 bits, sets the upper limit."""

MessageBytes = Annotated[int, Field(ge=1024, le=2**31 - 1)]
"""The size of a message. gRPC, which counts bytes in 32 bits, sets the upper limit."""

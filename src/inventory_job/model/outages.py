"""Why a database cannot be used, for operators: kind, hosts and the driver's plain sentence.

The sentences of the driver come with its settings, and those of the database may quote the
query; neither is part of the reason, so that it only changes when something else is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pymongo.errors import (
    ConfigurationError,
    OperationFailure,
    ProtocolError,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.server_description import ServerDescription
from pymongo.topology_description import TopologyDescription

from inventory_job.errors import Outage

_LOGIN = frozenset({11, 18, 8000})
_UNAUTHORIZED = 13
_MOST_CHARACTERS = 200
# First what stays wrong until an operator changes something.
_KINDS = (
    ("login refused", re.compile(r"^Authentication failed|bad auth|auth.* failed", re.IGNORECASE)),
    ("TLS failed", re.compile(r"\bSSL\b|\bTLS\b|certificate", re.IGNORECASE)),
    (
        "name not found",
        re.compile(
            r"Name or service not known|nodename nor servname|name resolution|No address associated"
            r"|getaddrinfo|DNS|resolution lifetime|NXDOMAIN",
            re.IGNORECASE,
        ),
    ),
    (
        "no connection",
        re.compile(r"refused|unreachable|No route|Connect call failed", re.IGNORECASE),
    ),
    ("no answer", re.compile(r"timed out|timeout", re.IGNORECASE)),
    ("connection lost", re.compile(r"closed|reset|broken pipe", re.IGNORECASE)),
)
_OTHER = "not usable"
_ORDER = {kind: number for number, (kind, _) in enumerate(_KINDS)}
_SETTINGS = re.compile(r" \(configured timeouts:.*?\)|, Timeout: .*", re.DOTALL)
_QUOTED = re.compile(r'".*"|\{.*\}|, full error: .*', re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def outage_of(error: PyMongoError, servers: TopologyDescription) -> Outage:
    """Why a ping ended with `error`, `servers` being what the driver knows of them."""
    found = [
        (_outage(each.error, [each]), each)
        for each in servers.server_descriptions().values()
        if each.error is not None
    ]
    if isinstance(error, OperationFailure | ConfigurationError) or not found:
        if not found and isinstance(error, ServerSelectionTimeoutError):
            return _unfit(servers)
        return _outage(error, servers.server_descriptions().values())
    worst = min((outage for outage, _ in found), key=lambda each: _ORDER.get(each.kind, 99))
    concerned = [each for outage, each in found if outage.reason == worst.reason]
    return Outage(worst.kind, _hosts(concerned), worst.reason)


def _outage(error: Exception, servers: Iterable[ServerDescription]) -> Outage:
    servers = [*servers]
    if isinstance(error, ProtocolError):
        return Outage("no MongoDB", _hosts(servers), "What answers there is no MongoDB server.")
    sentence = _sentence(error)
    for server in servers:
        sentence = sentence.replace(f"{_host(server)}:", "")
    sentence = sentence.strip(" :")
    kind = next((kind for kind, pattern in _KINDS if pattern.search(sentence)), _OTHER)
    if isinstance(error, OperationFailure):
        if error.code in _LOGIN:
            kind = "login refused"
        elif error.code == _UNAUTHORIZED:
            kind = "right missing"
    return Outage(kind, _hosts(servers), sentence)


def _unfit(servers: TopologyDescription) -> Outage:
    """There are servers, and none to read from."""
    name = servers.replica_set_name
    if name and not servers.server_descriptions():
        reason = f"No server found is in the replica set {name!r}, as the connection string says."
        return Outage("no suitable server", "unknown", reason)
    kinds = sorted(
        {each.server_type_name for each in servers.server_descriptions().values()} or {"Unknown"}
    )
    return Outage(
        "no suitable server",
        _hosts(servers.server_descriptions().values()),
        f"No server is what operations need, such as a primary; there are: {', '.join(kinds)}.",
    )


def _sentence(error: Exception) -> str:
    """What the driver or the database says, without settings, quotations and control characters."""
    details = getattr(error, "details", None)
    said = details.get("errmsg") if isinstance(details, dict) else None
    text = _QUOTED.sub("…", str(said or error))
    return _CONTROLS.sub(" ", _SETTINGS.sub("", text)).strip()[:_MOST_CHARACTERS]


def _hosts(servers: Iterable[ServerDescription]) -> str:
    return ", ".join(sorted(map(_host, servers))) or "unknown"


def _host(server: ServerDescription) -> str:
    host, port = server.address
    return host if port is None else f"{host}:{port}"

"""Tells operators why a database cannot be used: kind of failure, hosts and the error message.

The driver appends its settings to messages, and the database may quote the query. Both are cut
out, so that the reason changes only when the cause does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

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
from inventory_job.model.driver_errors import without_quotations

_KINDS_BY_CODE = {**dict.fromkeys((11, 18, 8000), "login refused"), 13: "right missing"}
_MOST_CHARACTERS = 200
# Most severe first: a failure that lasts until an operator changes something.
_KINDS = {
    "login refused": r"^Authentication failed|bad auth|auth.* failed",
    "TLS failed": r"\bSSL\b|\bTLS\b|certificate",
    "name not found": r"Name or service not known|nodename nor servname|name resolution"
    r"|No address associated|getaddrinfo|DNS|resolution lifetime|NXDOMAIN",
    "no connection": r"refused|unreachable|No route|Connect call failed",
    "no answer": r"timed out|timeout",
    "connection lost": r"closed|reset|broken pipe",
}
_ORDER = {kind: number for number, kind in enumerate(_KINDS)}
_SETTINGS = re.compile(r" \(configured timeouts:.*?\)|, Timeout: .*", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def outage_of(error: PyMongoError, servers: TopologyDescription) -> Outage:
    """Why a ping raised `error`; `servers` is the topology as the driver knows it."""
    known = servers.server_descriptions().values()
    found = [(_outage(each.error, [each]), each) for each in known if each.error is not None]
    if not found and isinstance(error, ServerSelectionTimeoutError):
        return _unfit(servers.replica_set_name, known)
    if not found or isinstance(error, OperationFailure | ConfigurationError):
        return _outage(error, known)
    worst = min((outage for outage, _ in found), key=lambda each: _ORDER.get(each.kind, 99))
    concerned = [each for outage, each in found if outage.reason == worst.reason]
    return Outage(worst.kind, _hosts(concerned), worst.reason)


def _outage(error: Exception, servers: Collection[ServerDescription]) -> Outage:
    if isinstance(error, ProtocolError):
        return Outage("no MongoDB", _hosts(servers), "What answers there is no MongoDB server.")
    sentence = _sentence(error)
    for server in servers:
        sentence = sentence.replace(f"{_host(server)}:", "")
    sentence = sentence.strip(" :")
    kinds = (kind for kind, words in _KINDS.items() if re.search(words, sentence, re.IGNORECASE))
    kind = next(kinds, "not usable")
    if isinstance(error, OperationFailure):
        kind = _KINDS_BY_CODE.get(error.code or 0, kind)
    return Outage(kind, _hosts(servers), sentence)


def _unfit(replica_set: str | None, servers: Collection[ServerDescription]) -> Outage:
    """No known server has an error, but none is suitable for operations."""
    if replica_set and not servers:
        reason = (
            f"No server found is in the replica set {replica_set!r}, as the connection string says."
        )
    else:
        kinds = ", ".join(sorted({each.server_type_name for each in servers} or {"Unknown"}))
        reason = f"No server is what operations need, such as a primary; there are: {kinds}."
    return Outage("no suitable server", _hosts(servers), reason)


def _sentence(error: Exception) -> str:
    """The driver's or database's message without settings, quotations and control characters."""
    text = _SETTINGS.sub("", without_quotations(error))
    return _CONTROLS.sub(" ", text).strip()[:_MOST_CHARACTERS]


def _hosts(servers: Iterable[ServerDescription]) -> str:
    return ", ".join(sorted(map(_host, servers))) or "unknown"


def _host(server: ServerDescription) -> str:
    host, port = server.address
    return host if port is None else f"{host}:{port}"

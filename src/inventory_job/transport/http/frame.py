"""What surrounds every HTTP request: its id, and headers that all answers have."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Collection
from contextlib import ExitStack

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory_job.transport.http.connections import Connections
from inventory_job.transport.http.status import NotServed, failure_response

_HOST = re.compile(r"(\[[0-9a-z:.%]+\]|[^\s:/?#@\[\]\\]*)(:[0-9]*)?", re.IGNORECASE)
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class Frame:
    """Gives each request a state with `request_id`, the caller's own `X-Request-Id` if it is a
    sane one, which the answer has as well, and with `sent`, an ExitStack that is closed once the
    answer is sent or the client gone. Until then its one of `connections` has a request.

    Refuses requests for a host that is neither of `hosts` nor the address they have come to, unless
    these are empty; and those whose body has two ends.
    """

    def __init__(self, app: ASGIApp, connections: Connections, hosts: Collection[str]) -> None:
        self._app = app
        self._connections = connections
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered["x-request-id"] = request_id
                answered["x-content-type-options"] = "nosniff"
            await send(message)

        error = self._objection(headers, scope)
        app = self._app if error is None else failure_response(error)
        with self._connections.request_of(scope["client"]), ExitStack() as sent:
            scope.setdefault("state", {}).update(request_id=request_id, sent=sent)
            await app(scope, receive, send_framed)

    def _objection(self, headers: Headers, scope: Scope) -> NotServed | None:
        if "content-length" in headers and "transfer-encoding" in headers:
            # Chunks are read whatever length is said, but another server on the way may go by the
            # length and take the rest for a request of its own.
            reason = "a body that comes in chunks has no length of its own"
            return NotServed(400, "content-length", reason, {"connection": "close"})
        # h11 takes one host, and none of HTTP/1.0 alone.
        named = _HOST.fullmatch(headers.get("host", ""))
        if not named:
            return NotServed(400, "host", "it must be a name and maybe a port")
        # A page elsewhere may have its own name resolve to this address, and would be of the
        # same origin then. An address by number is nothing that could resolve to another.
        name = named[1].lower()
        if not self._hosts or name in self._hosts or name == _own_name(scope):
            return None
        return NotServed(421, "host", "it is not a name of this server")


def _own_name(scope: Scope) -> str:
    """The address that a request has come to, as a host is written."""
    address = ipaddress.ip_address(scope["server"][0].partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # So does a socket for both versions show an address of the other one.
        return str(address.ipv4_mapped or f"[{address}]")
    return str(address)

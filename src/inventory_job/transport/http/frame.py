"""ASGI middleware for all HTTP requests: request ids, checks of hosts, common headers."""

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
    """Sets `request_id` and `sent` in the state of each request. `request_id` is the client's
    `X-Request-Id` if it is well-formed, and is returned in that header. `sent` is an ExitStack,
    closed once the response is sent or the client is gone; until then the request is in flight.

    Refuses requests whose host is neither in `hosts` (unless that is empty) nor the address that
    they were sent to, and requests with both a content-length and a transfer-encoding.
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
        in_flight = self._connections.request_of(scope["client"], scope["server"])
        with in_flight, ExitStack() as sent:
            scope.setdefault("state", {}).update(request_id=request_id, sent=sent)
            await app(scope, receive, send_framed)

    def _objection(self, headers: Headers, scope: Scope) -> NotServed | None:
        if "content-length" in headers and "transfer-encoding" in headers:
            # Request smuggling (RFC 9112, 6.3): h11 reads the chunks, but a proxy on the way may go
            # by the length, and take the rest for another request.
            reason = "a body that comes in chunks has no length of its own"
            return NotServed(400, "content-length", reason, {"connection": "close"})
        # h11 refuses several host headers, and a missing one except in HTTP/1.0.
        named = _HOST.fullmatch(headers.get("host", ""))
        if not named:
            return NotServed(400, "host", "it must be a name and maybe a port")
        # DNS rebinding: the name of another site may resolve to this server, and its pages would
        # then have the same origin. The server's IP address as the host is safe from that.
        name = named[1].lower()
        if not self._hosts or name in self._hosts or name == _own_name(scope):
            return None
        return NotServed(421, "host", "it is not a name of this server")


def _own_name(scope: Scope) -> str:
    """The IP address that a request was sent to, as in a Host header."""
    address = ipaddress.ip_address(scope["server"][0].partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # A dual-stack socket has IPv4 addresses in IPv4-mapped form.
        return str(address.ipv4_mapped or f"[{address}]")
    return str(address)

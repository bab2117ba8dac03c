"""What surrounds every HTTP request: its id, and headers that all answers have."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory_job.transport.http.status import NotServed, status_json

_HOST = re.compile(r"(\[[0-9a-z:.%]+\]|[^\s:/?#@\[\]\\]*)(:[0-9]*)?", re.IGNORECASE)
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class Frame:
    """Gives each request an id, the caller's own `X-Request-Id` if it is a sane one, and the
    answer the same.

    Refuses requests that don't say for one host, or for one that is neither of `hosts` nor the
    address they have come to, unless these are empty; and those whose body has two ends.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered["x-request-id"] = request_id
                answered["x-content-type-options"] = "nosniff"
            await send(message)

        error = _two_ends(headers) or self._objection(headers.getlist("host"), scope)
        app = (
            self._app
            if error is None
            else JSONResponse(status_json(error), error.http_status, error.headers)
        )
        await app(scope, receive, send_framed)

    def _objection(self, given: list[str], scope: Scope) -> NotServed | None:
        named = _HOST.fullmatch(given[0]) if len(given) == 1 else None
        # Only HTTP/1.0 lets a request be for none.
        if not named and (given or scope["http_version"] != "1.0"):
            return NotServed(400, "host", "it must be given once, as a name and maybe a port")
        # A page elsewhere may have its own name resolve to this address, and would be of the
        # same origin then. An address by number is nothing that could resolve to another.
        name = named[1].lower() if named else ""
        if not self._hosts or name in self._hosts or name == _own_name(scope):
            return None
        return NotServed(421, "host", "it is not a name of this server")


def _two_ends(headers: Headers) -> NotServed | None:
    """Chunks are read whatever length is said, but another server on the way may go by the length
    and take the rest for a request of its own."""
    if "content-length" not in headers or "transfer-encoding" not in headers:
        return None
    reason = "a body that comes in chunks has no length of its own"
    return NotServed(400, "content-length", reason, {"connection": "close"})


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex


def _own_name(scope: Scope) -> str | None:
    """The address that a request has come to, as a host is written."""
    address = ipaddress.ip_address(scope["server"][0].partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # So does a socket for both versions show an address of the other one.
        return str(address.ipv4_mapped or f"[{address}]")
    return str(address)

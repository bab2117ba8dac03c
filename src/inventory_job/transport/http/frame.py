"""What surrounds every HTTP request: its id, and headers that all answers have."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory_job.transport.http.status import NotServed, status_json

_PORT = re.compile(r":[0-9]*\Z")
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class Frame:
    """Gives each request an id, the caller's own `X-Request-Id` if it is a sane one, and the
    answer the same; refuses requests to a host that is none of `hosts`, unless these are empty."""

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

        app = self._app if self._is_ours(headers.get("host", "")) else _misdirected()
        await app(scope, receive, send_framed)

    def _is_ours(self, host: str) -> bool:
        # A page elsewhere may have its own name resolve to this address, and would be of the
        # same origin then.
        return not self._hosts or _PORT.sub("", host).lower() in self._hosts


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex


def _misdirected() -> ASGIApp:
    error = NotServed(421, "host", "it is not a name of this server")
    return JSONResponse(status_json(error), error.http_status)

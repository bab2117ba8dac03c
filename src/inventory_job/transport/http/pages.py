"""Static files for browsers, served by their exact paths; each is read and compressed once, on its
first request."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from inventory_job.transport.http.body import accepts_gzip, compressed, content_response

_STATIC = Path(__file__).with_name("static")
_PAGE_HEADERS = {
    # Pages load only from this server; Swagger UI's style sheet has its icons as data: URLs.
    "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class Asset:
    """One file; clients cache it, and revalidate it by its ETag."""

    def __init__(
        self, read: Callable[[], bytes], media_type: str, headers: Mapping[str, str]
    ) -> None:
        self._read = read
        self._media_type = media_type
        self._other_headers = headers

    async def endpoint(self, request: Request) -> Response:
        """The response to GET and HEAD; 304 if the ETag of the client is current."""
        if request.headers.get("if-none-match") == self._headers["etag"]:
            return Response(status_code=304, headers=self._headers)
        smaller = self._compressed if accepts_gzip(request.headers) else None
        return content_response(self._content, smaller, self._headers)

    @cached_property
    def _content(self) -> bytes:
        # Not read at startup: together they take 2 MiB, and many servers never serve a page.
        return self._read()

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        return {
            **self._other_headers,
            "content-type": self._media_type,
            "cache-control": "no-cache",
            "vary": "accept-encoding",
            "etag": f'"{hashlib.sha256(self._content).hexdigest()[:32]}"',
        }

    @cached_property
    def _compressed(self) -> bytes | None:
        return compressed(self._content)


def page_assets() -> dict[str, Asset]:
    """All files below `static/` by URL path; that of a page omits `.html` and `index.html`."""
    assets = {}
    for file in _STATIC.rglob("*"):
        if file.is_dir() or file.suffix == ".md":
            continue
        path = f"/{file.relative_to(_STATIC).as_posix()}"
        if file.suffix == ".html":
            path = path.removesuffix(".html").removesuffix("index")
        # mimetypes.guess_type would load the system's table too, a third of a megabyte.
        kind = mimetypes.types_map.get(file.suffix, "text/plain")
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        assets[path] = Asset(file.read_bytes, kind, _PAGE_HEADERS)
    return assets

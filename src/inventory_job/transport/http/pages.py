"""Files for browsers: read and compressed once, when they are asked for, served by their exact
paths."""

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
    # Everything comes from this server; Swagger's style sheet holds its icons as data.
    "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class Asset:
    """One file; clients keep it, and ask whether it has changed."""

    def __init__(
        self, read: Callable[[], bytes], media_type: str, headers: Mapping[str, str]
    ) -> None:
        self._read = read
        self._media_type = media_type
        self._other_headers = headers

    async def endpoint(self, request: Request) -> Response:
        """Answers GET and HEAD."""
        if request.headers.get("if-none-match") == self._headers["etag"]:
            return Response(status_code=304, headers=self._headers)
        smaller = self._compressed if accepts_gzip(request.headers) else None
        return content_response(self._content, smaller, self._headers)

    @cached_property
    def _content(self) -> bytes:
        # Not at start: all of them take 2 MiB, and many servers' pages are never opened.
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
    """All files below `static/` by their paths; a page's path is without `index` and `.html`."""
    assets = {}
    for file in _STATIC.rglob("*"):
        if file.is_dir() or file.suffix == ".md":
            continue
        path = f"/{file.relative_to(_STATIC).as_posix()}"
        if file.suffix == ".html":
            path = path.removesuffix(".html").removesuffix("index")
        # As guess_type, without the table of the system, which takes a third of a megabyte.
        kind = mimetypes.types_map.get(file.suffix, "text/plain")
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        assets[path] = Asset(file.read_bytes, kind, _PAGE_HEADERS)
    return assets

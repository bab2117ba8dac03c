"""Files for browsers: in memory, compressed once, served by their exact paths."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from inventory_job.transport.http.body import accepts_gzip, compressed, pieces_of
from inventory_job.transport.http.messages import encoded

_PAGE_HEADERS = {
    # Everything comes from this server; Swagger's style sheet holds its icons as data.
    "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class Asset:
    """One file; clients keep it, and ask whether it has changed."""

    def __init__(self, content: bytes, media_type: str, headers: dict[str, str]) -> None:
        self._content = content
        self._headers = headers | {
            "content-type": media_type,
            "cache-control": "no-cache",
            "vary": "accept-encoding",
            "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        }

    @classmethod
    def of_json(cls, members: dict[str, Any]) -> Asset:
        """Plain data, as a file."""
        return cls(encoded(members), "application/json", {})

    @classmethod
    def of_file(cls, file: Traversable) -> Asset:
        """A file of a page."""
        kind = mimetypes.guess_type(file.name)[0] or "text/plain"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return cls(file.read_bytes(), kind, _PAGE_HEADERS)

    async def endpoint(self, request: Request) -> Response:
        """Answers GET and HEAD."""
        if request.headers.get("if-none-match") == self._headers["etag"]:
            return Response(status_code=304, headers=self._headers)
        headers, content = dict(self._headers), self._content
        if accepts_gzip(request.headers) and self._compressed is not None:
            headers["content-encoding"] = "gzip"
            content = self._compressed
        headers["content-length"] = str(len(content))
        return StreamingResponse(pieces_of(content), headers=headers)

    @cached_property
    def _compressed(self) -> bytes | None:
        return compressed(self._content)


def page_assets() -> dict[str, Asset]:
    """All files below `static/` by their paths; a page's path is without `index` and `.html`."""
    root = files("inventory_job.transport.http").joinpath("static")
    return {_page_path(path): Asset.of_file(file) for path, file in _walk(root, "")}


def _page_path(path: str) -> str:
    return path.removesuffix(".html").removesuffix("index") if path.endswith(".html") else path


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        at = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, at)
        elif not entry.name.endswith(".md"):
            yield at, entry

"""Static files for browsers, served by their exact paths; each is read and compressed once, on its
first request."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inventory_job.transport.http.body import accepts_gzip, compressed, content_response

_STATIC = Path(__file__).with_name("static")
_PAGE_HEADERS = {
    # Pages load only from this server; Swagger UI's style sheet has its icons as data: URLs.
    "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


def file_route(
    path: str, read: Callable[[], bytes], media_type: str, headers: Mapping[str, str]
) -> Route:
    """The route of a file; clients cache it, and revalidate it by its ETag."""

    @cache
    def loaded() -> tuple[bytes, bytes | None, Mapping[str, str]]:
        # Not at startup: together they take 2 MiB, and many servers never serve a page.
        content = read()
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        own = {"content-type": media_type, "cache-control": "no-cache", "etag": etag}
        return content, compressed(content), {**headers, **own, "vary": "accept-encoding"}

    async def respond(request: Request) -> Response:
        content, smaller, sent = loaded()
        if request.headers.get("if-none-match") == sent["etag"]:
            return Response(status_code=304, headers=sent)
        return content_response(content, smaller if accepts_gzip(request.headers) else None, sent)

    return Route(path, respond)


def file_routes() -> Iterator[Route]:
    """Routes of all files below `static/`; the path of a page omits `.html` and `index.html`."""
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
        yield file_route(path, file.read_bytes, kind, _PAGE_HEADERS)

"""What the page at `/` has to know before it asks for jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

PATH = "/home/entrance.json"


async def _no_domain() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Entrance:
    """How callers are authenticated, and a domain to begin with.

    `find_domain` gives the id of a domain with jobs, None without one; it is called in mode
    none only, where every caller is trusted.
    """

    auth_mode: str = "none"
    find_domain: Callable[[], Awaitable[str | None]] = _no_domain

    async def endpoint(self, request: Request) -> Response:
        """Answers GET and HEAD: `{"auth_mode": …}`, with `domain` where there is one."""
        said = {"auth_mode": self.auth_mode}
        domain = await self.find_domain() if self.auth_mode == "none" else None
        if domain is not None:
            said["domain"] = domain
        return JSONResponse(said, headers={"cache-control": "no-store"})

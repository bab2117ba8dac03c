"""The HTTP application: routes of the Job service, OpenAPI description, pages and probes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import ServiceDescriptor
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from inventory_job.errors import Unavailable
from inventory_job.transport.failures import failure_of
from inventory_job.transport.http.calls import JobCalls
from inventory_job.transport.http.context import METADATA
from inventory_job.transport.http.messages import encoded
from inventory_job.transport.http.pages import file_route, file_routes
from inventory_job.transport.http.status import NoSuchPath, NotServed, failure_response

_CORS_HEADERS = (
    *("authorization", "content-type", "grpc-timeout", "x-request-id", "x-request-timeout"),
    *(key.replace("_", "-") for key in METADATA),
)
_NOT_STORED = {"cache-control": "no-store"}


def build_app(routes: Sequence[Route], cors_origins: Sequence[str]) -> ASGIApp:
    """The application with these routes; `frame.Frame` is to wrap it. `cors_origins`: origins whose
    pages may call the service, `*` for all."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=_CORS_HEADERS,
        expose_headers=["retry-after", "x-request-id"],
        max_age=600,
    )
    app = Starlette(
        routes=routes,
        middleware=[cors] if cors_origins else [],
        exception_handlers={404: _no_such_path, 405: _wrong_method, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return app


def method_routes(service: ServiceDescriptor, calls: JobCalls) -> Iterator[Route]:
    """The routes of the methods of `service`, from their google.api.http options: each is a POST
    with the whole request message as the body."""
    for method in service.methods:
        path = method.GetOptions().Extensions[annotations_pb2.http].post
        yield Route(path, partial(calls.respond, method), methods=["POST"])


def probe_routes(unready: Callable[[], str | None], metrics: ASGIApp) -> list[Route]:
    """The routes of probes and of `metrics`. `unready` returns why calls cannot be served now, None
    if they can."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "SERVING"}, headers=_NOT_STORED)

    async def readyz(request: Request) -> Response:
        reason = unready()
        return await healthz(request) if reason is None else failure_response(Unavailable(reason))

    async def scrape(_: Request) -> ASGIApp:
        return metrics  # Starlette calls it as it would a Response

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", scrape)]


def _description(auth_mode: str) -> bytes:
    """The OpenAPI document, with the security schemes and examples of this mode only."""
    text = files("inventory_job.stubs").joinpath("openapi.json").read_text(encoding="utf-8")
    described = json.loads(text)
    if auth_mode == "none":
        described["security"] = [{}]
        described["components"]["securitySchemes"] = {}
    else:
        described["security"].remove({})
        del described["components"]["parameters"]["x-domain-id"]["example"]
    return encoded(described)


def page_routes(auth_mode: str, find_domain: Callable[[], Awaitable[str | None]]) -> list[Route]:
    """The routes of the pages and the description. `find_domain` returns the id of a domain with
    jobs for the page to start with, or None; it is called only with `auth_mode` none, which trusts
    every caller."""

    async def entrance(_: Request) -> Response:
        """What the page at `/` needs before its first call: the mode and maybe a domain."""
        said = {"auth_mode": auth_mode}
        domain = await find_domain() if auth_mode == "none" else None
        if domain is not None:
            said["domain"] = domain
        return JSONResponse(said, headers=_NOT_STORED)

    describe = partial(_description, auth_mode)
    return [
        file_route("/openapi.json", describe, "application/json", {}),
        *file_routes(),
        Route("/home/entrance.json", entrance),
    ]


async def _no_such_path(request: Request, _: Exception) -> Response:
    return failure_response(NoSuchPath(request.url.path))


async def _wrong_method(_: Request, error: Any) -> Response:
    allowed = ", ".join(sorted(error.headers["Allow"].split(", ")))
    reason = f"this path takes {allowed}"
    return failure_response(NotServed(405, "method", reason, {"allow": allowed}))


async def _failed(request: Request, error: Exception) -> Response:
    return failure_response(failure_of(error, request.url.path))

"""The HTTP application: routes of the Job service, its description, pages and probes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from google.protobuf.descriptor import ServiceDescriptor
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from inventory_job.errors import ServiceError, Unavailable
from inventory_job.transport.failures import failure_of
from inventory_job.transport.http.calls import JobCalls
from inventory_job.transport.http.connections import Connections
from inventory_job.transport.http.entrance import PATH, Entrance
from inventory_job.transport.http.frame import Frame
from inventory_job.transport.http.pages import Asset, page_assets
from inventory_job.transport.http.routes import routes_of
from inventory_job.transport.http.status import (
    NoSuchPath,
    NotServed,
    http_headers,
    http_status,
    status_json,
)

_CORS_HEADERS = (
    "authorization",
    "content-type",
    "grpc-timeout",
    "token",
    "traceparent",
    "tracestate",
    "x-domain-id",
    "x-request-id",
    "x-request-timeout",
    "x-workspace-id",
)


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What the application is like.

    `cors_origins`: origins whose pages may call it, `*` for all; none by default. `hosts`: the
    names that requests may be for, beside the address they come to; any, if empty. `has_pages`:
    serve the pages for people, too, which begin with what `entrance` answers. `unready` says why
    calls cannot be served now, for `/readyz`, None if they can. `metrics` answers `/metrics`.
    """

    unready: Callable[[], str | None]
    connections: Connections
    metrics: ASGIApp | None = None
    cors_origins: tuple[str, ...] = ()
    hosts: Collection[str] = ()
    has_pages: bool = True
    entrance: Entrance = field(default_factory=Entrance)


class _Application:
    """An ASGI application as an endpoint; a function would be taken for one of requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def build_app(service: ServiceDescriptor, calls: JobCalls, options: AppOptions) -> ASGIApp:
    """The whole application, for `service`, whose calls are answered by `calls`."""
    app = Starlette(
        routes=[
            *(
                Route(route.path, _Application(calls.endpoint(route)), methods=["POST"])
                for route in routes_of(service)
            ),
            *_probes(options.unready),
            *(
                [Route("/metrics", _Application(options.metrics), methods=["GET"])]
                if options.metrics
                else []
            ),
            *_pages(options),
        ],
        middleware=_middleware(options),
        exception_handlers={HTTPException: _not_served, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return options.connections.noting_requests(app)


def _middleware(options: AppOptions) -> Sequence[Middleware]:
    frame = Middleware(Frame, hosts=options.hosts)
    if not options.cors_origins:
        return [frame]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=options.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=_CORS_HEADERS,
        expose_headers=["retry-after", "x-request-id"],
        max_age=600,
    )
    return [frame, cors]


def _probes(unready: Callable[[], str | None]) -> list[Route]:
    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "SERVING"}, headers={"cache-control": "no-store"})

    async def readyz(request: Request) -> Response:
        reason = unready()
        return await healthz(request) if reason is None else _answer(Unavailable(reason))

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def _pages(options: AppOptions) -> list[Route]:
    text = files("inventory_job.stubs").joinpath("openapi.json").read_text(encoding="utf-8")
    described = json.loads(text)
    # Security schemes and examples of them: those of the mode in force alone.
    if options.entrance.auth_mode == "none":
        described["security"] = [{}]
        described["components"]["securitySchemes"] = {}
    else:
        described["security"].remove({})
        del described["components"]["parameters"]["x-domain-id"]["example"]
    assets = {"/openapi.json": Asset.of_json(described)} | (
        page_assets() if options.has_pages else {}
    )
    routes = [Route(path, asset.endpoint) for path, asset in assets.items()]
    return [*routes, Route(PATH, options.entrance.endpoint)] if options.has_pages else routes


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for these alone
    if error.status_code == 404:
        return _answer(NoSuchPath(request.url.path))
    allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
    return _answer(
        NotServed(error.status_code, "method", f"this path takes {allowed}", {"allow": allowed})
    )


async def _failed(request: Request, error: Exception) -> Response:
    return _answer(failure_of(error, request.url.path))


def _answer(error: ServiceError) -> Response:
    return JSONResponse(status_json(error), http_status(error), http_headers(error))

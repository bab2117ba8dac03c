"""The composition root: builds a server from settings, starts, drains and stops it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, NoReturn, Self

import structlog

from inventory_job import __version__
from inventory_job.app.authentication import build_authenticator
from inventory_job.app.numbers import Numbers
from inventory_job.app.ports import Served, grpc_server, opening
from inventory_job.auth.callers import AuthStats
from inventory_job.auth.claims import ANY_DOMAIN
from inventory_job.manager import JobManager
from inventory_job.model.client import Database, InvalidDatabase, InvalidDatabaseName
from inventory_job.model.counts.cache import CountCache
from inventory_job.model.indexes import ensure_indexes
from inventory_job.observability.call_log import CallLog, QueryLog
from inventory_job.observability.metrics import Metrics
from inventory_job.settings import CannotStart, InvalidSetting, Settings
from inventory_job.tasks import end, in_background
from inventory_job.transport.dispatcher import Dispatcher
from inventory_job.transport.grpc.health import HealthServicer
from inventory_job.transport.grpc.server import JOB
from inventory_job.transport.limiter import CallLimits, Limiter
from inventory_job.transport.listening import address_of
from inventory_job.transport.servicer import JobServicer

if TYPE_CHECKING:
    from inventory_job.observability.tracing import OpenTelemetryTracing

_PING_SECONDS = 2.0
"""The pause between pings of the database, and the timeout of each ping."""


class Server:
    """One server in the running event loop, as an asynchronous context manager: entering starts
    it, leaving drains and stops it.

    `settings` must name a database. Entering raises CannotStart.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resources = AsyncExitStack()
        self._is_stopping = False
        self._log = structlog.get_logger(__name__)
        self.address = ""
        self.http_address: str | None = None
        """`address` (gRPC) and this (HTTP) are HOST:PORT once started; None without HTTP."""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._resources.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._log.info("stopping", grace_seconds=self._settings.grace_seconds)
        await self._resources.aclose()
        self._log.info("stopped")

    async def _start(self) -> None:
        settings, resources = self._settings, self._resources
        tracing = self._tracing()
        stats = AuthStats()
        authenticator = build_authenticator(settings, resources, stats)
        database = open_database(settings, tracing)
        resources.push_async_callback(database.close)
        counts = CountCache(database, settings.totals)
        resources.push_async_callback(counts.close)
        health = HealthServicer(JOB.full_name)
        limiter = Limiter(
            CallLimits(
                held=settings.held_calls,
                running=settings.running_calls,
                tenant_running=settings.tenant_running_calls,
                wait_seconds=settings.wait_seconds,
            )
        )
        metrics = Metrics(Numbers(limiter, health, counts, stats))
        manager = JobManager(
            database,
            counts,
            limits=settings.limits,
            observe=QueryLog(metrics, settings.slow_query_seconds).observe,
        )
        resources.push_async_callback(manager.close)
        served = Served(
            jobs=JobServicer(manager, settings.limits, settings.query_seconds),
            dispatcher=Dispatcher(authenticator, limiter, settings.max_response_bytes),
            call_log=CallLog(metrics, tracing),
            limiter=limiter,
            metrics=metrics,
            health=health,
        )
        await self._open_ports(served, database)
        if settings.create_indexes:
            # In the background: calls are correct without indexes, only slower.
            resources.push_async_callback(end, [in_background(ensure_indexes(database))])
        resources.push_async_callback(end, [in_background(_watch(database, health))])
        # Pushed last, so run first: load balancers see NOT_SERVING before calls are refused.
        resources.callback(health.stop)
        self._announce(database)

    async def _open_ports(self, served: Served, database: Database) -> None:
        settings = self._settings
        stops: list[Callable[[], Awaitable[None]]] = []

        async def stop_all() -> None:
            # Both ports drain at the same time.
            self._is_stopping = True
            await asyncio.gather(*(stop() for stop in stops))

        self._resources.push_async_callback(stop_all)
        grpc = grpc_server(settings, served)
        with opening("gRPC"):
            self.address = address_of(settings.host, await grpc.start())
        stops.append(grpc.stop)
        grpc.serving.add_done_callback(self._serving_ended)
        if settings.http:
            # Imported only here: its imports take some megabytes.
            from inventory_job.app.http import http_server  # noqa: PLC0415

            http = http_server(settings, served, database)
            with opening("HTTP"):
                port = await http.start()
            self.http_address = address_of(settings.http_host or settings.host, port)
            stops.append(http.stop)
            http.serving.add_done_callback(self._serving_ended)

    def _serving_ended(self, serving: asyncio.Task[Any]) -> None:
        """Sends SIGTERM to this process if a port ended without being stopped, so that whatever
        supervises the process can restart it."""
        if serving.cancelled() or (self._is_stopping and not serving.exception()):
            return
        self._log.error("serving has broken off", exc_info=serving.exception())
        os.kill(os.getpid(), signal.SIGTERM)

    def _tracing(self) -> OpenTelemetryTracing | None:
        if not self._settings.tracing:
            return None
        from inventory_job.observability import tracing  # noqa: PLC0415  an extra

        made = tracing.OpenTelemetryTracing(tracing.exporting_provider(__version__))
        self._resources.push_async_callback(asyncio.to_thread, made.close)
        return made

    def _announce(self, database: Database) -> None:
        settings = self._settings
        self._log.info(
            "serving",
            address=self.address,
            http_address=self.http_address,
            database=database.describe(),
            auth_mode=settings.auth_mode,
            tls=settings.tls_certificate_file is not None,
            version=__version__,
        )
        if settings.auth_mode != "none" and settings.system_domain_id == ANY_DOMAIN:
            self._log.warning(
                "every domain's system tokens open every domain; set system_domain_id"
            )


def open_database(settings: Settings, tracing: OpenTelemetryTracing | None = None) -> Database:
    """The database that `settings` name; raises CannotStart if they name none or an invalid one."""
    if settings.mongo_uri is None:
        raise CannotStart("There is no database: set mongo_uri (INVENTORY_JOB_MONGO_URI).")
    try:
        return Database(
            settings.mongo_uri.get_secret_value(),
            settings.mongo_database,
            server_selection_seconds=settings.server_selection_seconds,
            listeners=[tracing.command_listener()] if tracing else [],
        )
    except InvalidDatabase as error:
        wrong = "mongo_database" if isinstance(error, InvalidDatabaseName) else "mongo_uri"
        raise InvalidSetting(f"setting {wrong}: {error}") from error
    except OSError as error:
        # Some versions of the driver put an error of their own around that of the system.
        cause: Any = error if error.filename else error.__context__ or error
        reason = f"{cause.filename}: {cause.strerror}"
        raise CannotStart(f"A file that mongo_uri names cannot be used: {reason}.") from error


async def _watch(database: Database, health: HealthServicer) -> NoReturn:
    """Pings the database repeatedly and sets `health` accordingly. Logs when an outage begins,
    changes or ends."""
    log = structlog.get_logger(__name__)
    while True:
        outage = await database.outage(_PING_SECONDS)
        unready = None if outage is None else f"the database is not usable: {outage}"
        if unready != health.unready:
            health.set(unready)
            if outage is None:
                log.info("database is usable")
            else:
                kind, host, reason = outage.kind, outage.host, outage.reason
                log.warning("database is not usable", kind=kind, host=host, reason=reason)
        await asyncio.sleep(_PING_SECONDS)

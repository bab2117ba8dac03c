"""The composition root: builds everything from settings, starts it, drains it, stops it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import warnings
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

import structlog

from inventory_job import __version__
from inventory_job.app.authentication import build_authentication
from inventory_job.app.background import Background
from inventory_job.app.checks import check_tracing, moving, tls_files
from inventory_job.app.metric_sources import metric_sources
from inventory_job.app.readiness import Readiness
from inventory_job.auth.claims import ANY_DOMAIN
from inventory_job.manager import JobManager
from inventory_job.model.client import Database, InvalidDatabase
from inventory_job.model.counts.cache import CountCache
from inventory_job.model.indexes import CoveringIndexes, ensure_indexes
from inventory_job.observability.call_log import CallLog, QueryLog, Tracing
from inventory_job.observability.metrics import Metrics
from inventory_job.settings import CannotStart, Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.transport.authorization import Authorization
from inventory_job.transport.dispatcher import Dispatcher
from inventory_job.transport.grpc.health import HealthServicer
from inventory_job.transport.grpc.interceptor import CallInterceptor
from inventory_job.transport.grpc.server import (
    JOB_SERVICE,
    GrpcServer,
    PortOptions,
    Services,
)
from inventory_job.transport.grpc.servicer import JobServicer
from inventory_job.transport.grpc.tls import InvalidTls
from inventory_job.transport.limiter import Limiter, Limits
from inventory_job.transport.listening import address_of

_OTHER_DESCRIPTORS = 150
"""What else may be open: connections to MongoDB, files, what the event loop needs."""


class Server:
    """One server in the running event loop, as an asynchronous context manager: it serves inside,
    and is drained and stopped after.

    `settings` name a database. Entering raises CannotStart.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = within_descriptors(settings)
        self._resources = AsyncExitStack()
        self._log = structlog.get_logger(__name__)
        self.port = 0
        """The port of gRPC, once started."""
        self.http_port = 0
        """The port of HTTP, once started, if it is served."""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except InvalidTls as error:
            await self._resources.aclose()
            raise CannotStart(str(error)) from error
        except BaseException:
            await self._resources.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.info("stopping", grace_seconds=self._settings.grace_seconds)
        await self._resources.aclose()
        self._log.info("stopped")

    @property
    def address(self) -> str:
        """Host and port of gRPC."""
        return address_of(self._settings.host, self.port)

    @property
    def http_address(self) -> str | None:
        """Host and port of HTTP, if it is served."""
        host = self._settings.http_host or self._settings.host
        return address_of(host, self.http_port) if self.http_port else None

    async def _start(self) -> None:
        settings, resources = self._settings, self._resources
        tracing = await self._tracing()
        authentication = build_authentication(settings)
        resources.push_async_callback(authentication.close)
        database = open_database(settings, tracing)
        resources.push_async_callback(database.close)
        background = await resources.enter_async_context(Background())
        counts = CountCache(database, settings.totals)
        resources.push_async_callback(counts.close)
        indexes = CoveringIndexes(database)
        resources.push_async_callback(indexes.close)
        health = HealthServicer(JOB_SERVICE)
        readiness = Readiness(database.outage, health)
        limiter = Limiter(_limits(settings))
        metrics = Metrics(metric_sources(limiter, readiness, counts, authentication.stats))
        manager = JobManager(
            database,
            counts,
            indexes,
            limits=settings.limits,
            observer=QueryLog(metrics, settings.slow_query_seconds),
        )
        resources.push_async_callback(manager.close)
        authorization = Authorization(authentication.authenticator)
        jobs = JobServicer(manager, authorization, settings.limits, settings.query_seconds, _now)
        dispatcher = Dispatcher(limiter, settings.max_response_bytes)
        call_log = CallLog(metrics, tracing)
        interceptor = CallInterceptor(
            job_pb2.DESCRIPTOR.services_by_name["Job"],
            settings.limits.values,
            authorization,
            dispatcher,
            call_log,
        )
        port = GrpcServer(
            _port_options(settings), Services(jobs, health, interceptor), limiter, _end_process
        )
        with moving("gRPC"):
            self.port = await port.start()
        ports: list[_Port] = [port]
        # Both ports drain at the same time.
        resources.push_async_callback(_stop_all, ports)
        if settings.http:
            # What it imports takes some megabytes.
            from inventory_job.app.http import http_server  # noqa: PLC0415

            http = http_server(
                settings,
                jobs,
                authorization,
                dispatcher,
                call_log,
                metrics,
                readiness,
                _end_process,
            )
            with moving("HTTP"):
                self.http_port = await http.start()
            ports.append(http)
        readiness.start()
        # First of all at the end: what looks at health goes elsewhere before calls are refused.
        resources.callback(readiness.stop)
        if settings.create_indexes:
            # Not waited for: calls are right without indexes, only slower.
            background.start(ensure_indexes(database))
        self._announce(database)

    async def _tracing(self) -> Tracing | None:
        if not self._settings.tracing:
            return None
        check_tracing()
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


class _Port(Protocol):
    async def stop(self) -> None:
        """Lets calls finish, and ends."""


async def _stop_all(ports: Iterable[_Port]) -> None:
    await asyncio.gather(*(port.stop() for port in ports))


def open_database(settings: Settings, tracing: Tracing | None = None) -> Database:
    """The database that `settings` name; raises CannotStart when that is no name of one."""
    if settings.mongo_uri is None:
        raise CannotStart("There is no database: set mongo_uri (INVENTORY_JOB_MONGO_URI).")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            database = Database(
                settings.mongo_uri.get_secret_value(),
                settings.mongo_database,
                server_selection_seconds=settings.server_selection_seconds,
                listeners=[tracing.command_listener()] if tracing else [],
            )
    except InvalidDatabase as error:
        raise CannotStart(str(error)) from error
    for warning in caught:
        # The driver has no other way to say so.
        structlog.get_logger(__name__).warning(
            "connection string not taken as it is", reason=str(warning.message)
        )
    return database


def _limits(settings: Settings) -> Limits:
    return Limits(
        held=settings.held_calls,
        running=settings.running_calls,
        tenant_running=settings.tenant_running_calls,
        wait_seconds=settings.wait_seconds,
    )


def _port_options(settings: Settings) -> PortOptions:
    return PortOptions(
        host=settings.host,
        port=settings.port,
        tls=tls_files(settings),
        max_request_bytes=settings.max_request_bytes,
        max_response_bytes=settings.max_response_bytes,
        connection_age=settings.connection_seconds,
        connections=settings.connections,
        grace_seconds=settings.grace_seconds,
    )


def within_descriptors(settings: Settings) -> Settings:
    """The same settings, with no more connections to a port than this process may have descriptors
    for: beyond those neither port could accept any."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    ports = 2 if settings.http else 1
    connections = max((most - _OTHER_DESCRIPTORS) // ports, 1)
    if most == resource.RLIM_INFINITY or connections >= settings.connections:
        return settings
    structlog.get_logger(__name__).warning(
        "connections limited", limit=connections, descriptors=most
    )
    return settings.model_copy(update={"connections": connections})


def _end_process() -> None:
    """Ends the process as SIGTERM does: what started it may start another one."""
    os.kill(os.getpid(), signal.SIGTERM)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)

"""The composition root: builds everything from settings, starts it, drains it, stops it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import structlog
from pydantic import SecretStr

from inventory_job import __version__
from inventory_job.app.authentication import build_authentication
from inventory_job.app.metric_sources import metric_sources
from inventory_job.auth.claims import ANY_DOMAIN
from inventory_job.embedded.mongod import EmbeddedMongod, default_data_dir
from inventory_job.manager import JobManager
from inventory_job.model.channels import Channels
from inventory_job.model.client import Database, InvalidDatabase
from inventory_job.model.counts.cache import Totals
from inventory_job.model.indexes import CoveringIndexes, ensure_indexes
from inventory_job.model.operation import Killer
from inventory_job.observability.call_log import Journal, QueryJournal, Tracing
from inventory_job.observability.metrics import Metrics
from inventory_job.settings import CannotStart, Settings
from inventory_job.transport.authorization import Admission
from inventory_job.transport.calls import Room
from inventory_job.transport.grpc.health import Health
from inventory_job.transport.grpc.server import (
    JOB_SERVICE,
    GrpcPort,
    PortInUse,
    PortOptions,
    Services,
    address_of,
)
from inventory_job.transport.grpc.servicer import JobServicer
from inventory_job.transport.grpc.tls import InvalidTls, TlsFiles
from inventory_job.transport.lanes import Lane, Places
from inventory_job.transport.unsent import Unsent

_PING_SECONDS = 2.0


class Server:
    """One server process, as a context manager: running inside, drained and stopped after.

    `prepare` is called with the database before anything is served. `is_worker`: others share the
    port. Without `settings.mongo_uri` it owns an embedded mongod, started first and stopped last.
    Entering raises CannotStart, or model.embedded.EmbeddedError when no mongod can be had.
    """

    def __init__(
        self,
        settings: Settings,
        prepare: Callable[[Database], None] | None = None,
        *,
        is_worker: bool = False,
    ) -> None:
        self._settings = settings
        self._prepare = prepare
        self._is_worker = is_worker
        self._resources = ExitStack()
        self._log = structlog.get_logger(__name__)
        self.port = 0
        """The port listened on, once started."""
        self.http_port = 0
        """The port of HTTP, once started, if it is served."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._resources.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.info("stopping", grace_seconds=self._settings.grace_seconds)
        self._resources.close()
        self._log.info("stopped")

    @property
    def address(self) -> str:
        """Host and port listened on."""
        return address_of(self._settings.host, self.port)

    @property
    def http_address(self) -> str | None:
        """Host and port of HTTP, if it is served."""
        settings = self._settings
        return (
            address_of(settings.http_host or settings.host, self.http_port)
            if self.http_port
            else None
        )

    def _start(self) -> None:
        settings = with_mongod(self._settings, self._resources)
        tracing = _tracing(settings, self._resources)
        authentication = build_authentication(settings, self._resources)
        admission = Admission(authentication.authenticator)
        database = self._resources.enter_context(closing(open_database(settings, tracing)))
        if self._prepare:
            self._prepare(database)
        killer = self._resources.enter_context(closing(Killer(database)))
        totals = self._resources.enter_context(closing(Totals(database, settings.totals)))
        health = Health(JOB_SERVICE, lambda: database.is_usable(_PING_SECONDS))
        room = _room(settings)
        channels = Channels(database)
        metrics = Metrics(metric_sources(room, health, totals, authentication.figures))
        manager = JobManager(
            database,
            killer,
            totals,
            CoveringIndexes(database),
            channels=channels,
            result_bytes=settings.limits.result_bytes,
            observer=QueryJournal(metrics, settings.slow_query_seconds),
        )
        servicer = JobServicer(
            manager,
            admission,
            settings.limits,
            settings.query_seconds,
            _utc_now,
        )
        services = Services(servicer, admission, health)
        try:
            self._serve(services, room, metrics, Journal(metrics, tracing), channels)
        except (InvalidTls, PortInUse) as error:
            raise CannotStart(str(error)) from error
        if settings.create_indexes:
            # Not waited for: calls are right without indexes, only slower.
            threading.Thread(
                target=ensure_indexes, args=(database,), name="indexes", daemon=True
            ).start()
        self._log.info(
            "serving",
            address=self.address,
            http_address=self.http_address,
            database=database.describe(),
            embedded=self._settings.mongo_uri is None,
            auth_mode=settings.auth_mode,
            tls=settings.tls_certificate_file is not None,
            version=__version__,
        )
        if settings.auth_mode != "none" and settings.system_domain_id == ANY_DOMAIN:
            self._log.warning(
                "every domain's system tokens open every domain; set system_domain_id"
            )

    def _serve(
        self,
        services: Services,
        room: Room,
        metrics: Metrics,
        journal: Journal,
        channels: Channels,
    ) -> None:
        """Opens the ports. What is stopped first is pushed last: whoever asks is told before
        calls are refused, and HTTP takes no more while gRPC lets the calls of both finish."""
        settings, resources = self._settings, self._resources
        metrics.start()
        # After the ports: calls that finish meanwhile count.
        resources.callback(metrics.close)
        # Calls over HTTP whose requests are still coming in will want a thread.
        resources.callback(room.lane.shutdown, wait=False)
        http = None
        if settings.http:
            # What it needs takes some megabytes.
            from inventory_job.app.http import http_port  # noqa: PLC0415

            http = http_port(
                settings,
                services,
                room.lane,
                journal,
                metrics,
                tls=_tls_files(settings),
                is_shared=self._is_worker,
            )
            resources.callback(http.stop)
        port = GrpcPort(
            _port_options(settings, is_shared=self._is_worker),
            room,
            journal,
            services,
            when_stopped=channels.close,
            when_broken=_end_process,
        )
        self.port = port.start()
        resources.callback(port.stop)
        if http:
            self.http_port = http.start()
            resources.callback(http.drain)
        resources.callback(services.health.stop)


def _room(settings: Settings) -> Room:
    lane = Lane("call", settings.threads, settings.queue, min(settings.queue, 1))
    places = Places(settings.threads + settings.queue, settings.threads, lane)
    return Room(lane, places, Unsent(settings.max_response_bytes))


def _tracing(settings: Settings, resources: ExitStack) -> Tracing | None:
    if not settings.tracing:
        return None
    try:
        from inventory_job.observability import tracing  # noqa: PLC0415  an extra
    except ImportError as error:
        raise CannotStart(
            "tracing needs the extra otel: pip install 'inventory-job[otel]'."
        ) from error
    made = tracing.OpenTelemetryTracing(tracing.exporting_provider(__version__))
    resources.callback(made.close)
    return made


def with_mongod(settings: Settings, resources: ExitStack) -> Settings:
    """`settings` with a database in them: without one, that of an embedded mongod, which is
    started now and stopped with `resources`. Raises model.embedded.EmbeddedError."""
    if settings.mongo_uri is not None:
        return settings
    data_dir = settings.data_dir or default_data_dir()
    structlog.get_logger(__name__).info("starting embedded mongod", data_dir=str(data_dir))
    uri = resources.enter_context(EmbeddedMongod(data_dir)).uri
    creates = settings.create_indexes is not False
    return settings.model_copy(update={"mongo_uri": SecretStr(uri), "create_indexes": creates})


def open_database(settings: Settings, tracing: Tracing | None = None) -> Database:
    """The database that `settings` name; raises CannotStart when that is no name of one."""
    assert settings.mongo_uri is not None  # noqa: S101  with_mongod sees to it
    try:
        return Database(
            settings.mongo_uri.get_secret_value(),
            settings.mongo_database,
            server_selection_seconds=settings.server_selection_seconds,
            listeners=[tracing.command_listener()] if tracing else [],
        )
    except InvalidDatabase as error:
        raise CannotStart(str(error)) from error


def _port_options(settings: Settings, *, is_shared: bool) -> PortOptions:
    return PortOptions(
        host=settings.host,
        port=settings.port,
        tls=_tls_files(settings),
        max_request_bytes=settings.max_request_bytes,
        max_response_bytes=settings.max_response_bytes,
        request_seconds=settings.request_seconds,
        connection_age=settings.connection_seconds,
        grace_seconds=settings.grace_seconds,
        is_shared=is_shared,
    )


def _tls_files(settings: Settings) -> TlsFiles | None:
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return TlsFiles(
        settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file
    )


def _end_process() -> None:
    """As if somebody had sent SIGTERM: whoever started the process may start another one."""
    os.kill(os.getpid(), signal.SIGTERM)


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)

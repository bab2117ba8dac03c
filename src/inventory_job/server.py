"""The composition root: builds everything from settings, starts it, drains it, stops it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import grpc
import structlog
from grpc_reflection.v1alpha import reflection

from inventory_job import __version__
from inventory_job.authentication import build_authenticator
from inventory_job.manager import JobManager
from inventory_job.model.connection import Database, InvalidDatabase
from inventory_job.model.embedded import EmbeddedMongod, default_data_dir
from inventory_job.model.indexes import ensure_indexes
from inventory_job.model.operation import Killer
from inventory_job.settings import CannotStart, Settings
from inventory_job.stubs.spaceone.api.core.v1 import server_info_pb2, server_info_pb2_grpc
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.admission import Admission
from inventory_job.transport.health import Health
from inventory_job.transport.interceptors import CallLog, Errors
from inventory_job.transport.servicer import JobServicer, ServerInfoServicer
from inventory_job.transport.tls import InvalidTls, TlsFiles, server_credentials

JOB_SERVICE = job_pb2.DESCRIPTOR.services_by_name["Job"].full_name
_SERVER_INFO_SERVICE = server_info_pb2.DESCRIPTOR.services_by_name["ServerInfo"].full_name
_HEALTH_SERVICE = "grpc.health.v1.Health"
_PING_SECONDS = 2.0


class Server:
    """One server process, as a context manager: running inside, drained and stopped after.

    `prepare` is called with the database before anything is served.
    Without `settings.mongo_uri` it owns an embedded mongod, started first and stopped last.
    Entering raises CannotStart, or model.embedded.EmbeddedError when no mongod can be had.
    """

    def __init__(
        self, settings: Settings, prepare: Callable[[Database], None] | None = None
    ) -> None:
        self._settings = settings
        self._prepare = prepare
        self._resources = ExitStack()
        self._log = structlog.get_logger(__name__)
        self.port = 0
        """The port listened on, once started."""

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
        return _address(self._settings.host, self.port)

    def _start(self) -> None:
        settings = self._settings
        admission = Admission(build_authenticator(settings, self._resources))
        database = self._resources.enter_context(closing(self._open_database()))
        if self._prepare:
            self._prepare(database)
        killer = self._resources.enter_context(closing(Killer(database)))
        servicer = JobServicer(
            JobManager(database, killer, settings.limits.result_bytes),
            admission,
            settings.limits,
            settings.query_seconds,
            _utc_now,
        )
        self._serve(servicer, Health(JOB_SERVICE, lambda: database.is_usable(_PING_SECONDS)))
        if self._creates_indexes:
            # Not waited for: calls are right without indexes, only slower.
            threading.Thread(
                target=ensure_indexes, args=(database,), name="indexes", daemon=True
            ).start()
        self._log.info(
            "serving",
            address=self.address,
            database=database.describe(),
            embedded=settings.mongo_uri is None,
            auth_mode=settings.auth_mode,
            tls=settings.tls_certificate_file is not None,
            version=__version__,
        )
        if settings.auth_mode != "none" and settings.system_domain_id is None:
            self._log.warning(
                "every domain's system tokens open every domain; set system_domain_id"
            )

    def _open_database(self) -> Database:
        settings = self._settings
        if settings.mongo_uri is not None:
            uri = settings.mongo_uri.get_secret_value()
        else:
            data_dir = settings.data_dir or default_data_dir()
            self._log.info("starting embedded mongod", data_dir=str(data_dir))
            uri = self._resources.enter_context(EmbeddedMongod(data_dir)).uri
        try:
            return Database(
                uri,
                settings.mongo_database,
                server_selection_seconds=settings.server_selection_seconds,
            )
        except InvalidDatabase as error:
            raise CannotStart(str(error)) from error

    @property
    def _creates_indexes(self) -> bool:
        if self._settings.create_indexes is None:
            return self._settings.mongo_uri is None
        return self._settings.create_indexes

    def _serve(self, servicer: JobServicer, health: Health) -> None:
        settings = self._settings
        server = grpc.server(
            ThreadPoolExecutor(settings.threads, thread_name_prefix="call"),
            interceptors=[CallLog(), Errors()],  # outermost first; see transport.interceptors
            options=_options(settings),
        )
        job_pb2_grpc.add_JobServicer_to_server(servicer, server)
        server_info_pb2_grpc.add_ServerInfoServicer_to_server(
            ServerInfoServicer(__version__), server
        )
        health.register(server)
        names = (JOB_SERVICE, _SERVER_INFO_SERVICE, _HEALTH_SERVICE, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        address = _address(settings.host, settings.port)
        try:
            self.port = _add_port(server, address, settings)
        except RuntimeError as error:
            raise CannotStart(f"Cannot listen on {address}: is the port in use?") from error
        server.start()
        health.start()
        self._resources.callback(lambda: server.stop(settings.grace_seconds).wait())
        self._resources.callback(health.stop)


def _add_port(server: grpc.Server, address: str, settings: Settings) -> int:
    """The port listened on, with TLS if there is a certificate."""
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return server.add_insecure_port(address)
    files = TlsFiles(
        settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file
    )
    try:
        return server.add_secure_port(address, server_credentials(files))
    except InvalidTls as error:
        raise CannotStart(str(error)) from error


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        # On by default, and then a second server on the port would start without a word.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_request_bytes),
        ("grpc.max_send_message_length", settings.max_response_bytes),
        # Room for tokens that are too long, to answer them with the reason.
        ("grpc.max_metadata_size", 16 * 1024),
        ("grpc.absolute_max_metadata_size", 32 * 1024),
    ]


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)

"""The HTTP port alone over a database, for tests, and for looking at pages.

`python -m tests.http_service [PORT]` serves demo data until it is interrupted.
"""

from __future__ import annotations

import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from inventory_job.auth.callers import AnonymousAuthenticator, Authenticator
from inventory_job.cli.seed import load_demo, midnight
from inventory_job.embedded.demo_data import Demo
from inventory_job.embedded.mongod import EmbeddedMongod
from inventory_job.manager import JobManager
from inventory_job.model.client import Database
from inventory_job.model.counts.cache import Totals
from inventory_job.model.indexes import CoveringIndexes
from inventory_job.model.operation import Killer
from inventory_job.observability.call_log import Journal
from inventory_job.query.limits import Limits
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.transport.authorization import Admission
from inventory_job.transport.grpc.servicer import JobServicer
from inventory_job.transport.grpc.tls import TlsFiles
from inventory_job.transport.http.app import AppOptions, build_app
from inventory_job.transport.http.calls import CallLimits, JobCalls
from inventory_job.transport.http.port import HttpPort, HttpPortOptions
from inventory_job.transport.lanes import Lane

SERVICE = job_pb2.DESCRIPTOR.services_by_name["Job"]


LIMITS = CallLimits(
    max_request_bytes=4 * 1024 * 1024,
    max_response_bytes=64 * 1024 * 1024,
    max_request_values=Limits().values,
    request_seconds=10.0,
)


def _always() -> bool:
    return True


class NoMetrics:
    """Counts nothing."""

    def called(self, method: str, code: str, transport: str, seconds: float) -> None:
        """As transport.journal.CallMetrics."""


@dataclass(frozen=True)
class HttpOptions:
    """What a port may be made with."""

    authenticator: Authenticator = field(default_factory=AnonymousAuthenticator)
    lane: Lane | None = None
    limits: CallLimits = LIMITS
    app: AppOptions = field(default_factory=lambda: AppOptions(is_ready=_always))
    grace_seconds: float = 1.0
    port: int = 0
    tls: TlsFiles | None = None
    connections: int = 1000


@contextmanager
def served(database: Database, options: HttpOptions | None = None) -> Iterator[str]:
    """The origin, `http://host:port`, of a port that serves the jobs of `database`."""
    options = options or HttpOptions()
    with ExitStack() as resources:
        lane = options.lane or resources.enter_context(Lane("http", 8, 64))
        killer = resources.enter_context(closing(Killer(database)))
        admission = Admission(options.authenticator)
        servicer = JobServicer(
            JobManager(database, killer, Totals(database, 0), CoveringIndexes(database)),
            admission,
            Limits(),
            20.0,
            _now,
        )
        calls = JobCalls(servicer, admission, lane, Journal(NoMetrics()), options.limits)
        port = HttpPort(
            build_app(SERVICE, calls, options.app),
            HttpPortOptions(
                host="127.0.0.1",
                port=options.port,
                tls=options.tls,
                request_seconds=options.limits.request_seconds,
                grace_seconds=options.grace_seconds,
                connections=options.connections,
            ),
        )
        number = port.start()
        resources.callback(port.stop)
        yield f"{'https' if options.tls else 'http'}://127.0.0.1:{number}"


@contextmanager
def client_of(database: Database, options: HttpOptions | None = None) -> Iterator[httpx.Client]:
    """A client of such a port."""
    with served(database, options) as origin, httpx.Client(base_url=origin) as client:
        yield client


def connected(origin: str) -> socket.socket:
    """A connection to a port, for what no client would send."""
    host, _, port = origin.partition("//")[2].rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def status_of(response: httpx.Response) -> dict[str, Any]:
    """The google.rpc.Status that the body is, as it must."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert body.keys() == {"code", "message", "details"}
    return dict(body)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def main() -> None:
    """Serves demo data, of a database that is gone afterwards."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedMongod(Path(folder)) as mongod,
        closing(Database(mongod.uri, "inventory")) as database,
    ):
        load_demo(database, Demo(10_000, seed=0, until=midnight()))
        with served(database, HttpOptions(port=port)) as origin:
            sys.stdout.write(f"{origin}  x-domain-id: domain-demo00000001\n")
            sys.stdout.flush()
            signal.sigwait(ends)


if __name__ == "__main__":
    main()

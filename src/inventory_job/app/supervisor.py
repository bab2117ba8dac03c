"""Several server processes on one port: started, kept alive, replaced one by one, stopped.

Each worker is a whole server, and the system spreads connections over them (SO_REUSEPORT). The
supervisor holds what there is once, the embedded database and the number of the port, and serves
nothing itself. It has no threads that a worker could inherit: workers are spawned, not forked.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from typing import Protocol, Self

import structlog
from prometheus_client.multiprocess import mark_process_dead

from inventory_job.app.server import Server, open_database, with_mongod
from inventory_job.app.signals import CaughtSignals, held_back, log_signals, obey_log_signal
from inventory_job.embedded.data_directory import EmbeddedError
from inventory_job.model.client import Database
from inventory_job.observability.logging import configure_logging
from inventory_job.observability.metrics import MULTIPROCESS_VARIABLE
from inventory_job.settings import CannotStart, Settings

_START_SECONDS = 60.0
_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Between the starts of a worker that keeps dying, in seconds."""
_LONGEST_ALONE = 1.0
"""The same where no worker is left."""
_STEADY_SECONDS = 60.0
_EXTRA_SECONDS = 10.0
"""What a worker has for its end beyond the grace period, before it is killed."""


class Signals(Protocol):
    """Signals that can be waited for."""

    def fileno(self) -> int:
        """What becomes readable with a signal."""

    def next(self) -> signal.Signals:
        """The next one."""


class Worker:
    """One process."""

    def __init__(self, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self.reports, far_end = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(
            target=_work, args=(settings, far_end), name="worker"
        )
        with held_back(log_signals()):
            self.process.start()
        far_end.close()
        self.started = time.monotonic()

    def await_ready(self) -> None:
        """Returns when it serves; raises CannotStart when it does not."""
        try:
            report = (
                self.reports.recv() if self.reports.poll(_START_SECONDS) else "it took too long"
            )
        except EOFError:
            report = "A worker ended while it started."
        if report is not None:
            self.process.kill()
            raise CannotStart(str(report))

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal; SIGTERM asks it to finish its calls and end."""
        if self.process.is_alive() and self.process.pid is not None:
            os.kill(self.process.pid, number)

    def join(self, seconds: float) -> bool:
        """Waits for its end, which is brought about after `seconds`; whether it came by itself."""
        self.process.join(seconds)
        if not self.process.is_alive():
            return True
        self.process.kill()
        self.process.join()
        return False

    def forget(self) -> None:
        """Takes the levels of a process that is no more out of the metrics."""
        mark_process_dead(self.process.pid)  # type: ignore[no-untyped-call]


class Supervisor:
    """Runs `settings.workers` workers until told to stop, as a context manager.

    `prepare` is called with the database before anything is served. Entering raises CannotStart
    and model.embedded.EmbeddedError.
    """

    def __init__(
        self, settings: Settings, prepare: Callable[[Database], None] | None = None
    ) -> None:
        self._settings = settings
        self._prepare = prepare
        self._resources = ExitStack()
        self._workers: list[Worker] = []
        self._deaths = 0
        self._next_start = 0.0
        self._is_debugged = False
        self._log = structlog.get_logger(__name__)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._resources.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def run(self, signals: Signals) -> None:
        """Replaces workers that die, until a signal ends it all; SIGHUP has all of them replaced,
        one by one, without a call being lost. Signals about the log are for all workers."""
        while True:
            sentinels = [worker.process.sentinel for worker in self._workers]
            missing = self._settings.workers - len(self._workers)
            pause = max(self._next_start - time.monotonic(), 0) if missing else None
            if signals.fileno() in wait([signals.fileno(), *sentinels], pause):
                number = signals.next()
                if number in log_signals():
                    self._pass_on(number)
                elif number == signal.SIGHUP:
                    self._replace_all()
                else:
                    return
            self._drop_dead()
            self._start_missing()

    def _start(self) -> None:
        settings = with_mongod(self._settings, self._resources)
        if self._prepare:
            with closing(open_database(settings)) as database:
                self._prepare(database)
        port = self._resources.enter_context(_reserved(settings.host, settings.port))
        self._settings = settings.model_copy(update={"port": port.getsockname()[1]})
        # Where the workers' metrics meet; only they read the variable.
        figures = self._resources.enter_context(TemporaryDirectory(prefix="inventory-job-metrics-"))
        os.environ[MULTIPROCESS_VARIABLE] = figures
        self._resources.callback(os.environ.pop, MULTIPROCESS_VARIABLE)
        self._resources.callback(self._stop)
        for number in range(settings.workers):
            self._workers.append(self._begun(number))
        for worker in self._workers:
            worker.await_ready()
        self._log.info("workers serve", workers=settings.workers, port=self._settings.port)

    def _begun(self, number: int) -> Worker:
        """A new worker; the one with the number 0 creates the indexes for all."""
        creates = number == 0 and self._settings.create_indexes is True
        worker = Worker(self._settings.model_copy(update={"create_indexes": creates}))
        if self._is_debugged:
            worker.send(signal.SIGUSR1)
        return worker

    def _pass_on(self, number: signal.Signals) -> None:
        self._is_debugged = number == signal.SIGUSR1
        obey_log_signal(number, self._settings.log_level)
        for worker in self._workers:
            worker.send(number)

    def _replace_all(self) -> None:
        self._log.info("replacing workers")
        for number, old in enumerate([*self._workers]):
            new = self._begun(1)
            try:
                new.await_ready()
            except CannotStart as error:
                self._log.error("worker not replaced", reason=str(error))
                return
            self._workers[number] = new
            self._end([old])
        self._log.info("workers replaced")

    def _drop_dead(self) -> None:
        for worker in [*self._workers]:
            if worker.process.is_alive():
                continue
            self._workers.remove(worker)
            worker.forget()
            lasted = time.monotonic() - worker.started
            self._deaths = 0 if lasted > _STEADY_SECONDS else self._deaths + 1
            pause = _PAUSES[min(self._deaths, len(_PAUSES) - 1)]
            if not self._workers:
                pause = min(pause, _LONGEST_ALONE)
            self._next_start = time.monotonic() + pause
            self._log.error("worker died", exitcode=worker.process.exitcode, pause_seconds=pause)

    def _start_missing(self) -> None:
        if time.monotonic() < self._next_start:
            return
        while len(self._workers) < self._settings.workers:
            self._workers.append(self._begun(1))

    def _stop(self) -> None:
        self._end(self._workers)

    def _end(self, workers: Iterable[Worker]) -> None:
        ends = time.monotonic() + self._settings.grace_seconds + _EXTRA_SECONDS
        for worker in workers:
            worker.send(signal.SIGTERM)
        for worker in workers:
            if not worker.join(max(ends - time.monotonic(), 0)):
                self._log.warning("worker killed", pid=worker.process.pid)
            worker.forget()


def _reserved(host: str, port: int) -> socket.socket:
    """A socket that keeps a port for the workers, and listens for nobody; raises CannotStart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # Without sharing it: another server on the port would go unnoticed.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            port = probe.getsockname()[1]
        kept = socket.socket(family)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((host, port))
    except OSError as error:
        raise CannotStart(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    return kept


def _work(settings: Settings, reports: Connection) -> None:
    """A worker's life. Reports None once it serves, else why it does not."""
    signals = CaughtSignals([signal.SIGTERM, *log_signals()])
    # Ctrl-C reaches the whole group; the supervisor decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    configure_logging(settings.log_level, settings.log_format, worker=os.getpid())
    try:
        with Server(settings, is_worker=True):
            reports.send(None)
            _await_end(signals, settings.log_level)
    except (CannotStart, EmbeddedError) as error:
        reports.send(str(error))


def _await_end(signals: Signals, log_level: str) -> None:
    """Returns when a signal ends the worker, or the supervisor is no more."""
    supervisor = multiprocessing.parent_process()
    sentinels = [supervisor.sentinel] if supervisor else []
    while signals.fileno() in wait([signals.fileno(), *sentinels]):
        number = signals.next()
        if number not in log_signals():
            return
        obey_log_signal(number, log_level)

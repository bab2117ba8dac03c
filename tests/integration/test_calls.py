"""What gRPC's event loop does with calls besides answering them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import FrameType, TracebackType
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from inventory_job.app import server as server_module
from inventory_job.app.server import Server
from inventory_job.embedded.data_directory import wait_until
from inventory_job.manager import JobManager
from inventory_job.model.client import Database
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.calls import GrpcCalls
from inventory_job.transport.grpc.server import GrpcPort
from inventory_job.transport.unsent import Unsent
from tests.proxy import Line, Proxy

DOMAIN = "domain-1"
TENANT = (("x_domain_id", DOMAIN),)
COUNT = job_pb2.JobStatQuery()
COUNT.query.distinct = "job_id"


@pytest.fixture
def jobs(database: Database) -> Database:
    database.jobs.drop()
    database.jobs.insert_many(
        {"job_id": f"job-{n}", "domain_id": DOMAIN, "plugin_id": "p" * 100} for n in range(50)
    )
    return database


@pytest.fixture
def stub(settings: Settings, jobs: Database) -> Iterator[job_pb2_grpc.JobStub]:
    with Server(settings) as server, grpc.insecure_channel(server.address) as channel:
        yield job_pb2_grpc.JobStub(channel)


class Stuck:
    """Stands for a manager's operation that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, *_: object) -> Any:
        self.begun.set()
        assert self.let_go.wait(20)
        raise LookupError


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    made = Stuck()
    monkeypatch.setattr(JobManager, "stat", lambda _, plan, bounds: made(plan, bounds))
    yield made
    made.let_go.set()


def told(entries: list[Any], method: str) -> list[Any]:
    return [
        entry for entry in entries if entry["event"] == "call" and entry["method"].endswith(method)
    ]


def test_a_call_that_its_client_gives_up_is_told_as_cancelled(
    stub: job_pb2_grpc.JobStub, stuck: Stuck
) -> None:
    with capture_logs() as entries:
        call: Any = stub.stat.future(COUNT, metadata=TENANT)
        assert stuck.begun.wait(10)
        call.cancel()

        assert wait_until(lambda: len(told(entries, "Job/stat")) == 1, 10)

    [entry] = told(entries, "Job/stat")
    assert entry["status"] == "CANCELLED"


def test_a_call_that_takes_too_long_is_told_so(stub: job_pb2_grpc.JobStub, stuck: Stuck) -> None:
    with capture_logs() as entries, pytest.raises(grpc.RpcError) as raised:
        stub.stat(COUNT, metadata=TENANT, timeout=0.3)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    with capture_logs() as later:
        assert wait_until(lambda: len(told([*entries, *later], "Job/stat")) == 1, 10)
    [entry] = told([*entries, *later], "Job/stat")
    assert entry["status"] == "DEADLINE_EXCEEDED"


def test_a_call_in_the_loop_that_takes_too_long_is_told_so(
    stub: job_pb2_grpc.JobStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> Any:
        await asyncio.sleep(20)

    monkeypatch.setattr(JobManager, "get_at_once", never)
    with capture_logs() as entries:
        calls: list[Any] = [
            stub.get.future(job_pb2.JobRequest(job_id="job-1"), metadata=TENANT, timeout=0.5)
            for _ in range(8)
        ]
        assert {call.code() for call in calls} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        assert wait_until(lambda: len(told(entries, "Job/get")) == 8, 10)

    assert {entry["status"] for entry in told(entries, "Job/get")} == {"DEADLINE_EXCEEDED"}


PAGE = job_pb2.JobsQuery()


@pytest.fixture
def wide_jobs(jobs: Database) -> Database:
    """Those of which a page takes 255 000 bytes."""
    jobs.jobs.update_many({}, {"$set": {"plugin_id": "p" * 5000}})
    return jobs


@contextmanager
def slow_and_direct(settings: Settings) -> Iterator[tuple[Proxy, grpc.Channel, grpc.Channel]]:
    """Two clients of a server, and the way that one of them has to it."""
    with (
        Server(settings) as server,
        Proxy(server.port, is_mongod=False) as way,
        grpc.insecure_channel(way.host) as slow,
        grpc.insecure_channel(server.address) as direct,
    ):
        yield way, slow, direct


def is_refused(call: Any) -> bool:
    error = call.exception()
    if error is None:
        return False
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "has not been taken" in error.details()
    return True


@pytest.mark.usefixtures("wide_jobs")
def test_who_does_not_take_answers_gets_no_more_of_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "Unsent", partial(Unsent, patience=0.5))
    narrow = settings.model_copy(update={"max_response_bytes": 4 * 1024 * 1024})
    with slow_and_direct(narrow) as (way, slow, direct), capture_logs() as entries:
        stub = job_pb2_grpc.JobStub(slow)
        assert len(stub.list(PAGE, metadata=TENANT).results) == 50
        way.line = Line(bytes_per_second=5_000)  # enough for requests
        calls: list[Any] = [stub.list.future(PAGE, metadata=TENANT, timeout=50) for _ in range(60)]
        assert wait_until(lambda: refusals(entries) > 0, 20)
        for _ in range(20):
            job_pb2_grpc.JobStub(direct).list(PAGE, metadata=TENANT, timeout=10)
        way.line = Line()

        refused = sum(is_refused(call) for call in calls)
        assert 0 < refused < 60
        assert wait_until(lambda: refusals(entries) == refused, 10)
        assert len(stub.list(PAGE, metadata=TENANT, timeout=10).results) == 50


def refusals(entries: list[Any]) -> int:
    return sum(entry["status"] == "RESOURCE_EXHAUSTED" for entry in told(entries, "Job/list"))


@pytest.mark.usefixtures("wide_jobs")
def test_requests_that_wait_are_not_in_the_way_of_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Unsent] = []

    def make(most: int) -> Unsent:
        made.append(Unsent(most, patience=20))
        return made[0]

    monkeypatch.setattr(server_module, "Unsent", make)
    narrow = settings.model_copy(
        update={"max_response_bytes": 4 * 1024 * 1024, "max_request_bytes": 1024}
    )
    with slow_and_direct(narrow) as (way, slow, direct), capture_logs() as entries:
        stub = job_pb2_grpc.JobStub(slow)
        assert len(stub.list(PAGE, metadata=TENANT).results) == 50
        way.line = Line(bytes_per_second=20_000)
        calls: list[Any] = [stub.list.future(PAGE, metadata=TENANT) for _ in range(40)]
        assert wait_until(lambda: made[0].waiting > 0, 20)
        long = job_pb2.JobsQuery(job_id="j" * 1000)  # the server takes in 16 of these at a time
        calls += [stub.list.future(long, metadata=TENANT) for _ in range(20)]
        # They are there once what was sent after them is.
        health: Any = health_pb2_grpc.HealthStub(slow)
        calls.append(health.Check.future(health_pb2.HealthCheckRequest()))
        assert wait_until(lambda: bool(told(entries, "Health/Check")), 20)

        for _ in range(20):
            job_pb2_grpc.JobStub(direct).list(long, metadata=TENANT, timeout=10)
        for call in calls:
            call.cancel()
        assert wait_until(lambda: made[0].waiting == made[0].held == 0, 20)


@pytest.mark.usefixtures("wide_jobs")
def test_who_takes_answers_gets_them_however_many_at_once(settings: Settings) -> None:
    narrow = settings.model_copy(update={"max_response_bytes": 256 * 1024, "queue": 100})
    with Server(narrow) as server, grpc.insecure_channel(server.address) as channel:
        stub = job_pb2_grpc.JobStub(channel)
        calls: list[Any] = [stub.list.future(PAGE, metadata=TENANT, timeout=50) for _ in range(60)]

        assert {len(call.result().results) for call in calls} == {50}


@pytest.mark.usefixtures("wide_jobs")
def test_an_answer_that_is_not_sent_is_forgotten(settings: Settings) -> None:
    narrow = settings.model_copy(update={"max_response_bytes": 128 * 1024})
    with Server(narrow) as server, grpc.insecure_channel(server.address) as channel:
        gc.collect()
        gc.disable()
        try:
            with pytest.raises(grpc.RpcError, match="Message is too"):
                job_pb2_grpc.JobStub(channel).list(PAGE, metadata=TENANT)
            assert wait_until(lambda: not frames_of(GrpcCalls._answer), 10)
        finally:
            gc.enable()


def frames_of(function: Any) -> list[FrameType]:
    """Those of a function that are kept for failures that went through them."""
    return [
        kept.tb_frame
        for kept in gc.get_objects()
        if type(kept) is TracebackType and kept.tb_frame.f_code is function.__code__
    ]


def test_calls_given_up_give_their_places_back(settings: Settings, jobs: Database) -> None:
    narrow = settings.model_copy(update={"threads": 2, "queue": 2})
    with Server(narrow) as server, grpc.insecure_channel(server.address) as channel:
        stub = job_pb2_grpc.JobStub(channel)

        def give_up(number: int) -> None:
            call: Any = (
                stub.get.future(job_pb2.JobRequest(job_id="job-1"), metadata=TENANT)
                if number % 2
                else stub.stat.future(COUNT, metadata=TENANT)
            )
            time.sleep(number % 7 / 2000)  # at whatever stage the call is by then
            call.cancel()

        with ThreadPoolExecutor(4) as pool:
            [*pool.map(give_up, range(400))]

        def all_are_served() -> bool:
            calls: list[Any] = [
                stub.get.future(job_pb2.JobRequest(job_id="job-1"), metadata=TENANT)
                for _ in range(2)
            ]
            calls += [stub.stat.future(COUNT, metadata=TENANT) for _ in range(4)]
            return all(call.exception() is None for call in calls)

        assert wait_until(all_are_served, 10)


def test_the_log_names_the_tenant_wherever_the_call_was_answered(
    stub: job_pb2_grpc.JobStub,
) -> None:
    with capture_logs() as entries:
        for _ in range(20):
            stub.get(job_pb2.JobRequest(job_id="job-1"), metadata=TENANT)
            stub.stat(COUNT, metadata=TENANT)
        assert wait_until(lambda: len(told(entries, "Job/stat")) == 20, 10)

    told_of = [*told(entries, "Job/get"), *told(entries, "Job/stat")]
    assert len(told_of) == 40


@pytest.mark.parametrize("method", ["get", "list"])
def test_an_answer_that_is_too_large_is_refused(
    settings: Settings, jobs: Database, method: str
) -> None:
    jobs.jobs.insert_one({"job_id": "job-large", "domain_id": DOMAIN, "plugin_id": "x" * 3000})
    small = settings.model_copy(update={"max_response_bytes": 2048})
    request = {
        "get": job_pb2.JobRequest(job_id="job-large"),
        "list": job_pb2.JobsQuery(job_id="job-large"),
    }[method]
    with Server(small) as server, grpc.insecure_channel(server.address) as channel:
        stub = job_pb2_grpc.JobStub(channel)
        for _ in range(5):  # by a thread, and in the loop
            with pytest.raises(grpc.RpcError) as raised:
                getattr(stub, method)(request, metadata=TENANT)

            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "the response has more than 2048 bytes" in str(raised.value.details())
        assert stub.get(job_pb2.JobRequest(job_id="job-1"), metadata=TENANT).job_id == "job-1"


def test_short_calls_are_answered_while_all_threads_are_busy(
    settings: Settings, jobs: Database, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = settings.model_copy(update={"threads": 1, "queue": 2})
    with Server(narrow) as server, grpc.insecure_channel(server.address) as channel:
        stub = job_pb2_grpc.JobStub(channel)
        get = job_pb2.JobRequest(job_id="job-1")
        taken_by_threads: list[object] = []
        in_thread = JobManager.get

        def noted(manager: JobManager, *given: Any) -> Any:
            taken_by_threads.append(given)
            return in_thread(manager, *given)

        monkeypatch.setattr(JobManager, "get", noted)

        def is_answered_at_once() -> bool:
            before = len(taken_by_threads)
            stub.get(get, metadata=TENANT)
            return len(taken_by_threads) == before

        assert wait_until(is_answered_at_once, 10)
        waiting: list[Any] = [stub.stat.future(COUNT, metadata=TENANT) for _ in range(3)]
        assert stuck.begun.wait(10)

        for _ in range(20):
            assert stub.get(get, metadata=TENANT, timeout=5).job_id == "job-1"

        assert not any(call.done() for call in waiting)
        stuck.let_go.set()
        assert [call.code() for call in waiting] == [grpc.StatusCode.INTERNAL] * 3


def test_nobody_is_answered_what_another_asked(stub: job_pb2_grpc.JobStub) -> None:
    def ask(number: int) -> bool:
        name = f"job-{number % 50}"
        return stub.get(job_pb2.JobRequest(job_id=name), metadata=TENANT).job_id == name

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(800)))


def test_a_server_whose_serving_breaks_off_says_so_and_ends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports: list[GrpcPort] = []
    start = GrpcPort.start
    ended = threading.Event()

    def started(port: GrpcPort) -> int:
        ports.append(port)
        return start(port)

    monkeypatch.setattr(GrpcPort, "start", started)
    monkeypatch.setattr(server_module, "_end_process", ended.set)
    with Server(settings):
        [port] = ports

        async def break_off() -> None:
            # As grpc does when its task has failed.
            assert port._server is not None
            await port._server.stop(None)

        assert not ended.is_set()
        port._loop.run(break_off())
        assert ended.wait(10)
        assert not port._health.is_ready

"""What the server does with calls besides answering them: records them, bounds them, ends them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from inventory_job.embedded.data_directory import wait_until
from inventory_job.manager import JobManager
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.proxy import Line, Proxy
from tests.support.running import server_of
from tests.support.store import Store

DOMAIN = "domain-1"
TENANT = (("x_domain_id", DOMAIN),)
OTHER = (("x_domain_id", "domain-2"),)
COUNT = job_pb2.JobStatQuery()
COUNT.query.distinct = "job_id"
PAGE = job_pb2.JobsQuery()
GET = job_pb2.JobRequest(job_id="job-1")


@pytest.fixture
def jobs(database: Store) -> Store:
    database.jobs.drop()
    database.jobs.insert_many(
        {"job_id": f"job-{n}", "domain_id": DOMAIN, "plugin_id": "p" * 100} for n in range(50)
    )
    return database


@pytest.fixture
def stub(settings: Settings, jobs: Store) -> Iterator[job_pb2_grpc.JobStub]:
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        yield job_pb2_grpc.JobStub(channel)


class Stuck:
    """Stands for a manager's operation that goes on until it is cancelled."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.cancelled = threading.Semaphore(0)

    async def __call__(self, *_: object) -> Any:
        self.begun.release()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            self.cancelled.release()
            raise


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Stuck:
    made = Stuck()

    async def stat(_: JobManager, *given: object) -> Any:
        return await made(*given)

    monkeypatch.setattr(JobManager, "distinct", stat)
    return made


def recorded(entries: list[Any], method: str) -> list[Any]:
    return [
        entry for entry in entries if entry["event"] == "call" and entry["method"].endswith(method)
    ]


def test_a_call_that_its_client_gives_up_is_cancelled_and_recorded_so(
    stub: job_pb2_grpc.JobStub, stuck: Stuck
) -> None:
    with capture_logs() as entries:
        call: Any = stub.stat.future(COUNT, metadata=TENANT)
        assert stuck.begun.acquire(timeout=10)
        call.cancel()

        assert stuck.cancelled.acquire(timeout=10)
        assert wait_until(lambda: len(recorded(entries, "Job/stat")) == 1, 10)

    [entry] = recorded(entries, "Job/stat")
    assert entry["status"] == "CANCELLED"


def test_a_call_that_takes_too_long_is_cancelled_and_recorded_so(
    stub: job_pb2_grpc.JobStub, stuck: Stuck
) -> None:
    with capture_logs() as entries:
        with pytest.raises(grpc.RpcError) as raised:
            stub.stat(COUNT, metadata=TENANT, timeout=0.5)
        assert stuck.cancelled.acquire(timeout=10)
        assert wait_until(lambda: len(recorded(entries, "Job/stat")) == 1, 10)

    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    [entry] = recorded(entries, "Job/stat")
    assert entry["status"] == "DEADLINE_EXCEEDED"


@pytest.fixture
def wide_jobs(jobs: Store) -> Store:
    """Those of which a page takes 255 000 bytes."""
    jobs.jobs.update_many({}, {"$set": {"plugin_id": "p" * 5000}})
    return jobs


@contextmanager
def slow_and_direct(settings: Settings) -> Iterator[tuple[Proxy, grpc.Channel, grpc.Channel]]:
    """Two clients of a server, and the way that one of them has to it."""
    with (
        server_of(settings) as server,
        Proxy(server.port, is_mongod=False) as way,
        grpc.insecure_channel(way.host) as slow,
        grpc.insecure_channel(server.address) as direct,
    ):
        yield way, slow, direct


@pytest.mark.usefixtures("wide_jobs")
def test_a_connection_whose_client_does_not_read_has_few_answers_in_memory(
    settings: Settings,
) -> None:
    """The others of the connection wait, and are refused; other connections go on."""
    narrow = settings.model_copy(update={"tenant_running_calls": 4, "wait_seconds": 0.5})
    with slow_and_direct(narrow) as (way, slow, direct), capture_logs() as entries:
        stub = job_pb2_grpc.JobStub(slow)
        assert len(stub.list(PAGE, metadata=TENANT).results) == 50
        way.line = Line(bytes_per_second=5_000)  # enough for requests
        calls: list[Any] = [stub.list.future(PAGE, metadata=TENANT, timeout=50) for _ in range(30)]
        assert wait_until(lambda: len(refusals(entries)) > 0, 20)
        for _ in range(20):
            job_pb2_grpc.JobStub(direct).list(PAGE, metadata=TENANT, timeout=10)
        way.line = Line()

        codes = [call.code() for call in calls]
        assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert len(stub.list(PAGE, metadata=TENANT, timeout=10).results) == 50


def refusals(entries: list[Any]) -> list[Any]:
    calls = recorded(entries, "Job/list")
    return [entry for entry in calls if entry["status"] == "RESOURCE_EXHAUSTED"]


@pytest.mark.usefixtures("wide_jobs")
def test_a_client_that_reads_gets_its_answers_however_many_at_a_time(settings: Settings) -> None:
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        stub = job_pb2_grpc.JobStub(channel)
        calls: list[Any] = [stub.list.future(PAGE, metadata=TENANT, timeout=50) for _ in range(60)]

        assert {len(call.result().results) for call in calls} == {50}


def test_a_tenant_at_its_limit_does_not_keep_another_waiting(
    settings: Settings, jobs: Store, stuck: Stuck
) -> None:
    jobs.jobs.insert_one({"job_id": "job-1", "domain_id": "domain-2"})
    narrow = settings.model_copy(update={"held_calls": 8, "tenant_running_calls": 2})
    with server_of(narrow) as server, grpc.insecure_channel(server.address) as channel:
        stub = job_pb2_grpc.JobStub(channel)
        waiting: list[Any] = [
            stub.stat.future(COUNT, metadata=TENANT, timeout=60) for _ in range(20)
        ]
        assert stuck.begun.acquire(timeout=10)
        with grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)]) as own:
            for _ in range(10):
                answer = job_pb2_grpc.JobStub(own).get(GET, metadata=OTHER, timeout=5)
                assert answer.domain_id == "domain-2"
        refused = [call for call in waiting if call.done()]
        assert {call.code() for call in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        for call in waiting:
            call.cancel()


def test_calls_given_up_give_their_permits_back(settings: Settings, jobs: Store) -> None:
    narrow = settings.model_copy(update={"held_calls": 8, "tenant_running_calls": 2})
    with server_of(narrow) as server, grpc.insecure_channel(server.address) as channel:
        stub = job_pb2_grpc.JobStub(channel)

        def give_up(number: int) -> None:
            call: Any = (
                stub.get.future(GET, metadata=TENANT)
                if number % 2
                else stub.stat.future(COUNT, metadata=TENANT)
            )
            time.sleep(number % 7 / 2000)  # at whatever stage the call is by then
            call.cancel()

        with ThreadPoolExecutor(4) as pool:
            [*pool.map(give_up, range(400))]

        def all_are_served() -> bool:
            calls: list[Any] = [stub.get.future(GET, metadata=TENANT) for _ in range(3)]
            calls += [stub.stat.future(COUNT, metadata=TENANT) for _ in range(3)]
            return all(call.exception() is None for call in calls)

        assert wait_until(all_are_served, 10)


@pytest.mark.parametrize("method", ["get", "list"])
def test_an_answer_that_is_too_large_is_refused(
    settings: Settings, jobs: Store, method: str
) -> None:
    jobs.jobs.insert_one({"job_id": "job-large", "domain_id": DOMAIN, "plugin_id": "x" * 3000})
    small = settings.model_copy(update={"max_response_bytes": 2048})
    request = {
        "get": job_pb2.JobRequest(job_id="job-large"),
        "list": job_pb2.JobsQuery(job_id="job-large"),
    }[method]
    with server_of(small) as server, grpc.insecure_channel(server.address) as channel:
        stub = job_pb2_grpc.JobStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            getattr(stub, method)(request, metadata=TENANT)

        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "the response has more than 2048 bytes" in str(raised.value.details())
        assert stub.get(job_pb2.JobRequest(job_id="job-1"), metadata=TENANT).job_id == "job-1"


def test_each_call_gets_its_own_answer(stub: job_pb2_grpc.JobStub) -> None:
    def get(number: int) -> bool:
        name = f"job-{number % 50}"
        return stub.get(job_pb2.JobRequest(job_id=name), metadata=TENANT).job_id == name

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(get, range(800)))

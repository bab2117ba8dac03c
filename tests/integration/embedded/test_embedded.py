"""The embedded database starts, survives every kind of death, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pymongo import MongoClient

from inventory_job.embedded.data_directory import DataDirectory, EmbeddedError, wait_until
from inventory_job.embedded.mongod import embedded_mongod, find_mongod
from inventory_job.results import StoredDocument

OWNER = """
import signal, sys
from pathlib import Path
from inventory_job.embedded.mongod import embedded_mongod
with embedded_mongod(Path(sys.argv[1])) as uri:
    print(uri, flush=True)
    signal.pause()
"""


@contextlib.contextmanager
def client_of(uri: str) -> Iterator[MongoClient[StoredDocument]]:
    with MongoClient[StoredDocument](uri, serverSelectionTimeoutMS=5000) as client:
        yield client


def server_pid(uri: str) -> int:
    with client_of(uri) as client:
        return int(client.admin.command("serverStatus")["pid"])


def keep_a_job(uri: str, job_id: str) -> None:
    with client_of(uri) as client:
        client["inventory"]["job"].insert_one({"job_id": job_id})


def kept_jobs(uri: str) -> list[str]:
    with client_of(uri) as client:
        return [job["job_id"] for job in client["inventory"]["job"].find().sort("job_id")]


def is_running(pid: int) -> bool:
    """Whether the process lives; one that only awaits its parent's notice does not."""
    listing = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


def script(path: Path, lines: str) -> Path:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def start(data_dir: Path, **options: Any) -> None:
    """For what is refused."""
    with embedded_mongod(data_dir, **options):
        pass


class Running(NamedTuple):
    """A running server."""

    data_dir: Path
    uri: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """For tests that leave it as it is."""
    data_dir = tmp_path_factory.mktemp("running")
    with embedded_mongod(data_dir) as uri:
        yield Running(data_dir, uri)


@contextlib.contextmanager
def other_owner(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that owns the directory, and the connection string of its server."""
    command = [sys.executable, "-c", OWNER, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        try:
            yield owner, owner.stdout.readline().strip()
        finally:
            owner.kill()


def test_a_transaction_is_committed(running: Running) -> None:
    with client_of(running.uri) as client, client.start_session() as session:
        jobs = client["inventory"]["job"]
        with session.start_transaction():
            jobs.insert_one({"job_id": "job-1"}, session=session)

        assert jobs.count_documents({"job_id": "job-1"}) == 1


def test_only_the_loopback_interface_is_listened_on(running: Running) -> None:
    with client_of(running.uri) as client:
        options = client.admin.command("getCmdLineOpts")["parsed"]

    assert options["net"]["bindIp"] == "127.0.0.1"


def test_the_data_of_an_empty_database_stays_small(running: Running) -> None:
    files = [file for file in running.data_dir.rglob("*") if file.is_file()]

    assert sum(file.stat().st_size for file in files) < 32 * 2**20


def test_an_interrupt_at_the_terminal_does_not_reach_the_database(
    running: Running,
) -> None:
    assert os.getpgid(server_pid(running.uri)) != os.getpgid(0)


def test_the_refusal_of_a_second_owner_names_the_directory_and_the_first_one(
    running: Running,
) -> None:
    with pytest.raises(EmbeddedError) as refusal:
        start(running.data_dir)

    assert f"{running.data_dir} is in use by process {os.getpid()}" in str(refusal.value)
    assert DataDirectory(running.data_dir).running_uri() == running.uri


def test_another_process_finds_the_running_database(running: Running) -> None:
    program = (
        "import sys, pathlib; from inventory_job.embedded.data_directory import DataDirectory;"
        "print(DataDirectory(pathlib.Path(sys.argv[1])).running_uri())"
    )

    found = subprocess.run(
        [sys.executable, "-c", program, running.data_dir],
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == running.uri


def test_nothing_runs_on_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    assert DataDirectory(tmp_path / "absent").running_uri() is None


def test_stopping_leaves_no_process_and_keeps_the_data(tmp_path: Path) -> None:
    with embedded_mongod(tmp_path) as first_uri:
        keep_a_job(first_uri, "job-1")
        pid = server_pid(first_uri)

    assert not is_running(pid)
    assert DataDirectory(tmp_path).running_uri() is None

    with embedded_mongod(tmp_path) as uri:
        assert uri != first_uri
        assert kept_jobs(uri) == ["job-1"]


def test_the_thread_that_started_it_may_end(tmp_path: Path) -> None:
    with contextlib.ExitStack() as resources:
        started: list[str] = []
        starter = threading.Thread(
            target=lambda: started.append(resources.enter_context(embedded_mongod(tmp_path)))
        )
        starter.start()
        starter.join()

        pid = server_pid(started[0])
        assert not wait_until(lambda: not is_running(pid), 1.5)


def test_a_killed_owner_takes_the_database_along_and_the_next_one_has_its_data(
    tmp_path: Path,
) -> None:
    with other_owner(tmp_path) as (owner, uri):
        keep_a_job(uri, "job-1")
        pid = server_pid(uri)
        with pytest.raises(EmbeddedError, match=f"in use by process {owner.pid}"):
            start(tmp_path)

        owner.kill()
        owner.wait()
        with embedded_mongod(tmp_path) as successor:
            assert not is_running(pid)
            assert kept_jobs(successor) == ["job-1"]


def test_the_database_of_a_killed_owner_ends_by_itself(tmp_path: Path) -> None:
    with other_owner(tmp_path) as (owner, uri):
        pid = server_pid(uri)
        assert is_running(pid)

        owner.kill()

        assert wait_until(lambda: not is_running(pid), 10.0)
        assert DataDirectory(tmp_path).running_uri() is None


def test_a_killed_mongod_is_started_again_with_its_data(tmp_path: Path) -> None:
    with embedded_mongod(tmp_path) as uri:
        keep_a_job(uri, "job-1")
        os.kill(server_pid(uri), signal.SIGKILL)

    with embedded_mongod(tmp_path) as uri:
        assert kept_jobs(uri) == ["job-1"]


def test_a_mongod_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    failing = script(tmp_path / "mongod", "echo 'libcurl.so.4: cannot open' >&2; exit 127")

    with pytest.raises(EmbeddedError, match=r"(?s)code 127.*libcurl\.so\.4: cannot open"):
        start(tmp_path / "data", binary=failing)


def test_a_mongod_that_does_not_get_ready_is_ended_and_the_directory_given_back(
    tmp_path: Path,
) -> None:
    hanging = script(tmp_path / "mongod", f"echo $$ > {tmp_path}/pid; exec sleep 60")

    with pytest.raises(EmbeddedError, match=r"not ready within 0\.5 seconds"):
        start(tmp_path / "data", binary=hanging, start_seconds=0.5)

    assert not is_running(int((tmp_path / "pid").read_text()))
    with embedded_mongod(tmp_path / "data") as ready:
        assert kept_jobs(ready) == []


def test_one_that_is_being_started_again_is_stopped_soon(tmp_path: Path) -> None:
    once = script(
        tmp_path / "mongod",
        f"if test -e {tmp_path}/first; then touch {tmp_path}/second; exec sleep 60; fi\n"
        f'touch {tmp_path}/first; exec {find_mongod()} "$@"',
    )
    with embedded_mongod(tmp_path / "data", binary=once) as uri:
        os.kill(server_pid(uri), signal.SIGKILL)
        assert wait_until((tmp_path / "second").exists, 10.0)
        begun = time.monotonic()

    assert time.monotonic() - begun < 5.0


def test_a_mongod_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    with embedded_mongod(tmp_path, stop_seconds=0.2) as uri:
        pid = server_pid(uri)
        os.kill(pid, signal.SIGSTOP)

    assert not is_running(pid)

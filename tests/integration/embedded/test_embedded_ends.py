"""An embedded mongod that ends under a serving server, and one that is no good."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pymongo import MongoClient

from inventory_job.embedded.data_directory import DataDirectory
from inventory_job.embedded.mongod import embedded_mongod, find_mongod
from inventory_job.results import StoredDocument
from tests.support.serving import Serving, list_jobs

SERVE = [sys.executable, "-m", "inventory_job", "serve"]


def kill_mongod(data_dir: Path) -> None:
    os.kill(int((data_dir / "db" / "mongod.lock").read_text()), signal.SIGKILL)


def keep_a_job(data_dir: Path) -> None:
    with MongoClient[StoredDocument](str(DataDirectory(data_dir).running_uri())) as client:
        client["inventory"]["job"].insert_one({"job_id": "job-1", "domain_id": "domain-1"})


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a mongod is found first."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return directory / "mongod"


def write_script(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def test_calls_succeed_again_after_mongod_was_killed(tmp_path: Path) -> None:
    with (
        Serving(None, data_dir=tmp_path, mongo_database="inventory") as serving,
        serving.channel() as channel,
    ):
        keep_a_job(tmp_path)
        assert list_jobs(channel) == 1
        for _ in range(2):
            kill_mongod(tmp_path)

            ended = serving.await_entry("embedded mongod ended")
            serving.await_entry("embedded mongod runs again")

            assert list_jobs(channel) == 1
            assert ended["level"] == "error"
            assert ended["exitcode"] == -signal.SIGKILL
            assert ended["last_lines"]


def test_one_that_keeps_ending_is_started_after_pauses_that_grow(
    tmp_path: Path, on_path: Path
) -> None:
    starts = tmp_path / "starts"
    real = find_mongod()
    write_script(
        on_path,
        f'echo >> {starts}; case $(wc -l < {starts}) in 2|3) echo "out of luck"; exit 7;; esac\n'
        f'exec {real} "$@"',
    )

    data_dir = tmp_path / "data"
    with Serving(None, data_dir=data_dir) as serving, serving.channel() as channel:
        kill_mongod(data_dir)
        ended = [serving.await_entry("embedded mongod ended") for _ in range(3)]
        serving.await_entry("embedded mongod runs again")
        assert list_jobs(channel) == 0

    assert [entry["exitcode"] for entry in ended] == [-signal.SIGKILL, 7, 7]
    assert [entry["last_lines"] for entry in ended[1:]] == [["out of luck"]] * 2
    pauses = [entry["pause_seconds"] for entry in ended]
    assert pauses == sorted(set(pauses))


def test_a_server_whose_mongod_waits_to_be_started_stops_at_once(
    tmp_path: Path, on_path: Path
) -> None:
    starts = tmp_path / "starts"
    real = find_mongod()
    write_script(
        on_path,
        f'echo >> {starts}; test $(wc -l < {starts}) -gt 1 && exit 7\nexec {real} "$@"',
    )
    data_dir = tmp_path / "data"
    with Serving(None, data_dir=data_dir, grace_seconds=1) as serving:
        kill_mongod(data_dir)
        while serving.await_entry("embedded mongod ended")["pause_seconds"] < 10:
            pass
        serving.process.terminate()
        begun = time.monotonic()
        assert serving.process.wait(20) == 0

    assert time.monotonic() - begun < 8.0


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("echo 'libcurl.so.4: cannot open' >&2; exit 127", "ended with code 127"),
        (None, "ended with code 1"),
    ],
    ids=["ends", "no program"],
)
def test_a_mongod_on_path_that_is_no_good_is_named_and_the_way_out(
    tmp_path: Path, on_path: Path, lines: str | None, reason: str
) -> None:
    if lines is None:
        on_path.write_bytes(b"\x7fELF of another machine")
        on_path.chmod(0o755)
    else:
        write_script(on_path, lines)

    variables = {"INVENTORY_JOB_DATA_DIR": str(tmp_path / "data"), "INVENTORY_JOB_PORT": "0"}
    ended = subprocess.run(
        SERVE, capture_output=True, text=True, check=False, env=os.environ | variables, timeout=60
    )

    assert ended.returncode == 1
    assert f"mongod ({on_path}) {reason}" in ended.stderr
    assert "on PATH" in ended.stderr
    assert "pip install 'inventory-job[embedded]'" in ended.stderr


def test_all_files_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "made" / "data"
    mask = os.umask(0o022)
    try:
        with embedded_mongod(data_dir):
            pass
        with embedded_mongod(data_dir):
            found = {path: stat.S_IMODE(path.stat().st_mode) for path in data_dir.rglob("*")}
            found[data_dir] = stat.S_IMODE(data_dir.stat().st_mode)
    finally:
        os.umask(mask)

    names = {path.name for path in found}
    assert {"mongod.log", "owner.lock", "db"} <= names
    assert {path.name: oct(mode) for path, mode in found.items() if mode & 0o077} == {}


def test_files_of_an_earlier_version_are_taken_from_others(tmp_path: Path) -> None:
    for name in ("mongod.log", "owner.lock"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o644)

    with embedded_mongod(tmp_path):
        modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}

    assert {name for name, mode in modes.items() if mode} == set()

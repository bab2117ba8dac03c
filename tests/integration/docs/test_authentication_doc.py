"""The page's walk through authentication is run as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory_job.embedded.demo_data import samples
from tests.support.documents import ROOT, SHOWN_ADDRESS, page
from tests.support.store import Store

SESSIONS = [block.commands for block in page("docs/authentication.md").of_kind("console")]
"""Each terminal session of the page: commands with what they are said to print."""
END = "-- end of output --"

GRPCURL = f"""#!{sys.executable}
import json, os, string, sys
sys.path.insert(0, {str(ROOT)!r})
import grpc
from tests.support import reflection

_, plaintext, expand, *flags, data_flag, data, _, method = sys.argv
assert (plaintext, expand, data_flag) == ("-plaintext", "-expand-headers", "-d")
assert set(flags[::2]) == {{"-H"}}
headers = [string.Template(header).substitute(os.environ) for header in flags[1::2]]
metadata = [tuple(header.split(": ", 1)) for header in headers]
with grpc.insecure_channel(os.environ["ADDRESS"]) as channel:
    try:
        answer = reflection.call(channel, method, json.loads(data), metadata)
    except grpc.RpcError as error:
        name = error.code().name.title().replace("_", "")
        print(f"ERROR:\\n  Code: {{name}}\\n  Message: {{error.details()}}")
    else:
        print(json.dumps(answer, indent=2))
"""
"""Does what grpcurl does with the arguments that the page gives it."""


@pytest.fixture
def environment(mongo_uri: str, database_name: str, tmp_path: Path) -> dict[str, str]:
    """An environment with grpcurl and inventory-job on the PATH, and a MongoDB."""
    programs = tmp_path / "bin"
    programs.mkdir()
    interpreter = f'#!/bin/sh\nexec "{sys.executable}" -m inventory_job "$@"\n'
    for name, text in {"grpcurl": GRPCURL, "inventory-job": interpreter}.items():
        program = programs / name
        program.write_text(text)
        program.chmod(0o755)
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "INVENTORY_JOB_PORT": "0",
        "INVENTORY_JOB_LOG_FORMAT": "json",
        "INVENTORY_JOB_MONGO_URI": mongo_uri,
        "INVENTORY_JOB_MONGO_DATABASE": database_name,
    }


@pytest.fixture(autouse=True)
def sample(database: Store) -> None:
    database.jobs.insert_many(job for job, _ in samples())


def run(session: list[tuple[str, str]], directory: Path, environment: dict[str, str]) -> list[str]:
    """What each command of a session prints in one shell."""
    script = "\n".join(f"{command}\necho '{END}'" for command, _ in session)
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", script],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(END + "\n")[:-1]


@pytest.fixture
def address(tmp_path: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a server started with the page's first session."""
    *first, (serve, _) = SESSIONS[0]
    assert serve == "inventory-job serve --demo"
    assert run(first, tmp_path, environment) == [output for _, output in first]
    exported = "\n".join(command for command, _ in first if command.startswith("export "))
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"{exported}\nexec {serve}"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield address_of(process)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        entry = json.loads(line)
        if entry["event"] == "serving":
            assert entry["auth_mode"] == "jwt"
            found: str = entry["address"]
            return found
    raise AssertionError("the server ended before it served")


def test_the_walk_through_prints_what_is_shown(
    tmp_path: Path, environment: dict[str, str], address: str
) -> None:
    environment["ADDRESS"] = address
    session = [each for session in SESSIONS[1:] for each in session]
    assert all(SHOWN_ADDRESS in command for command, _ in session if "grpcurl" in command)

    assert run(session, tmp_path, environment) == [output for _, output in session]

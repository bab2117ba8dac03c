"""What README shows is what happens."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from inventory_job.embedded.demo_data import sample_jobs
from inventory_job.settings import Settings
from tests import reflection
from tests.running import ServerThread, server_of
from tests.store import Store

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SHOWN_ADDRESS = "127.0.0.1:50051"
SHOWN_HTTP_ADDRESS = "127.0.0.1:8080"


@pytest.fixture(autouse=True, scope="module")
def sample(database: Store) -> None:
    database.jobs.insert_many(sample_jobs())


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def examples(language: str) -> list[tuple[str, str]]:
    """Each command of the blocks with what it is said to print."""
    [block] = blocks(language)
    commands = re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (c.partition("\n") for c in commands)]


def call_as_grpcurl(command: str, channel: grpc.Channel) -> dict[str, Any]:
    """What grpcurl does with these arguments: asks reflection, sends JSON, shows JSON."""
    _, plaintext, header, metadata, data_flag, data, _, method = shlex.split(command)
    assert (plaintext, header, data_flag) == ("-plaintext", "-H", "-d")
    key, _, value = metadata.partition(": ")
    return reflection.call(channel, method, json.loads(data), ((key, value),))


@pytest.mark.parametrize(("command", "shown"), examples("console"))
def test_a_grpcurl_example_answers_what_is_shown(
    channel: grpc.Channel, command: str, shown: str
) -> None:
    assert call_as_grpcurl(command, channel) == json.loads(shown)


def test_the_python_example_prints_what_is_shown(server: ServerThread) -> None:
    [program], [shown] = blocks("python"), blocks("text")
    command = [sys.executable, "-c", program.replace(SHOWN_ADDRESS, server.address)]

    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)

    assert printed.stdout == shown


@pytest.mark.parametrize(("command", "shown"), examples("curl"))
def test_a_curl_example_answers_what_is_shown(settings: Settings, command: str, shown: str) -> None:
    _, _, _, tenant, _, content_type, _, data, url = shlex.split(command)
    path = url.removeprefix(f"http://{SHOWN_HTTP_ADDRESS}")
    headers = dict(header.split(": ") for header in (tenant, content_type))
    with server_of(settings.model_copy(update={"http": True, "http_port": 0})) as server:
        answer = httpx.post(f"http://{server.http_address}{path}", content=data, headers=headers)

    assert answer.json() == json.loads(shown)

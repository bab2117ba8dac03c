"""The calls that README and the page about clients show answer what is shown."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import Any

import grpc
import httpx
import pytest

from inventory_job.embedded.demo_data import samples
from inventory_job.settings import Settings
from tests.support import reflection
from tests.support.documents import README, SHOWN, SHOWN_ADDRESS, SHOWN_HTTP_ADDRESS, Block, page
from tests.support.running import ServerThread, server_of
from tests.support.store import Store
from tests.support.terminal import terminal

PAGES = (README, page("docs/clients.md"))
CLIENTS = page("docs/clients.md")


@pytest.fixture(autouse=True, scope="module")
def sample(database: Store) -> None:
    database.jobs.insert_many(job for job, _ in samples())


def calls(program: str) -> list[tuple[str, str]]:
    """Each command with `program`, with what it is said to print."""
    return [
        (command, shown)
        for page in PAGES
        for block in page.of_kind("console")
        for command, shown in block.commands
        if command.split()[0] == program
    ]


def call_as_grpcurl(command: str, channel: grpc.Channel) -> dict[str, Any]:
    """What grpcurl does with these arguments: asks reflection, sends JSON, shows JSON."""
    _, plaintext, header, metadata, data_flag, data, address, method = shlex.split(command)
    assert (plaintext, header, data_flag, address) == ("-plaintext", "-H", "-d", SHOWN_ADDRESS)
    key, _, value = metadata.partition(": ")
    return reflection.call(channel, method, json.loads(data), ((key, value),))


def test_every_command_shown_is_one_of_these() -> None:
    shown = [
        command for page in PAGES for block in page.of_kind("console") for command in block.commands
    ]

    assert len(calls("grpcurl") + calls("curl") + calls("inventory-job")) == len(shown) >= 5


@pytest.mark.parametrize(("command", "shown"), calls("grpcurl"))
def test_a_grpcurl_call_answers_what_is_shown(
    channel: grpc.Channel, command: str, shown: str
) -> None:
    assert call_as_grpcurl(command, channel) == json.loads(shown)


@pytest.mark.parametrize(("command", "shown"), calls("curl"))
def test_a_curl_call_answers_what_is_shown(settings: Settings, command: str, shown: str) -> None:
    _, silent, _, tenant, _, content_type, data_flag, data, url = shlex.split(command)
    assert (silent, data_flag) == ("-s", "-d")
    path = url.removeprefix(f"http://{SHOWN_HTTP_ADDRESS}")
    headers = dict(header.split(": ") for header in (tenant, content_type))
    with server_of(settings.model_copy(update={"http": True, "http_port": 0})) as server:
        answer = httpx.post(f"http://{server.http_address}{path}", content=data, headers=headers)

    assert answer.json() == json.loads(shown)


@pytest.mark.parametrize(("command", "shown"), calls("inventory-job"))
def test_a_command_prints_what_is_shown(server: ServerThread, command: str, shown: str) -> None:
    environment = {"INVENTORY_JOB_ENDPOINT": server.address, "NO_COLOR": "1"}
    _, *arguments = shlex.split(command)
    with terminal(*arguments, environment=environment, width=100, height=16) as opened:
        assert opened.finish() == 0
        assert opened.lines() == shown.splitlines()


def programs() -> list[tuple[Block, Block]]:
    """Each Python program, with the block after it, which is what it is said to print."""
    return [
        (program, shown)
        for page in SHOWN
        for program, shown in page.pairs
        if program.kind == "python"
    ]


@pytest.mark.parametrize(("program", "shown"), programs(), ids=str)
def test_a_python_program_prints_what_is_shown(
    server: ServerThread, program: Block, shown: Block
) -> None:
    command = [sys.executable, "-c", program.text.replace(SHOWN_ADDRESS, server.address)]

    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)

    assert shown.kind == "text"
    assert printed.stdout == shown.text


def test_every_service_is_described(channel: grpc.Channel) -> None:
    described = [
        name.strip(" `") for cells in CLIENTS.rows("services") for name in cells[0].split(",")
    ]

    assert sorted(described) == sorted(reflection.services(channel))

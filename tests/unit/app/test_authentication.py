"""Settings of authentication that cannot be served with are refused at start."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from inventory_job.app.authentication import build_authenticator
from inventory_job.auth.callers import AuthStats
from inventory_job.settings import CannotStart, Settings
from tests.support.certificates import Authority

ENDPOINT = "grpc://127.0.0.1:1"


def build(**given: Any) -> None:
    """Builds authentication of mode identity, with these settings over good ones, and closes it."""
    good = {"auth_mode": "identity", "identity_endpoint": ENDPOINT, "identity_token": "own"}

    async def build_and_close() -> None:
        async with AsyncExitStack() as resources:
            build_authenticator(Settings(**good | given), resources, AuthStats())

    asyncio.run(build_and_close())


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "identity",
        "http://identity:80",
        "grpc://identity",
        "grpc://h:1/path",
        ":1",
        "h:0",
        "h:65536",
        "h:٣",
        "a b:1",
        "::1:50051",
        "grpc://user:secret@identity:50051",
        "user:secret@identity:50051",
        "https://user:secret@identity:50051/path",
    ],
)
def test_an_endpoint_that_is_none_is_refused_and_not_repeated(endpoint: str) -> None:
    with pytest.raises(CannotStart, match="grpc") as raised:
        build(identity_endpoint=endpoint)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "endpoint", ["identity:50051", "grpc://127.0.0.1:1/", "grpc+ssl://[::1]:65535", "grpcs://a-b:1"]
)
def test_an_endpoint_is_taken_with_and_without_a_scheme(endpoint: str) -> None:
    build(identity_endpoint=endpoint)


def test_a_token_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="own token cannot be read"):
        build(identity_token=None, identity_token_file=tmp_path / "none")


def test_a_ca_for_an_endpoint_without_tls_is_refused(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(Authority().certificate)

    with pytest.raises(CannotStart, match="TLS"):
        build(identity_ca_file=ca)


@pytest.mark.parametrize("text", ["{}", "notes"])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    settings = Settings(auth_mode="jwt", auth_key_file=file)

    with pytest.raises(CannotStart, match=r"keys\.json"):
        build_authenticator(settings, AsyncExitStack(), AuthStats())


def test_without_tokens_and_tls_a_server_loads_no_cryptography() -> None:
    """Which takes an eighth of the memory of a server. The driver may load the rest of it."""
    program = (
        "import sys, inventory_job.app.server, inventory_job.app.http;"
        "import inventory_job.app.authentication as built;"
        "built.build_authenticator(inventory_job.settings.Settings(), None, None);"
        "print({'joserfc', 'inventory_job.transport.grpc.identity_client'} & set(sys.modules))"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ran.stdout == "set()\n"

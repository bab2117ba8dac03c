"""The image's recipe and the compose file, checked without an engine to build or run them."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from inventory_job.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
PREFIX = "INVENTORY_JOB_"


def tool(name: str) -> str:
    """The path of a program of the tests' environment; skips where there is no build of it."""
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def services() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    found: dict[str, Any] = compose["services"]
    return found


def test_hadolint_accepts_the_dockerfile() -> None:
    run = subprocess.run(
        [tool("hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_compose_file_fits_the_specification() -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.usefixtures("no_settings")
def test_the_variables_of_the_compose_file_are_settings() -> None:
    for service in ("seed", "inventory-job"):
        variables = services()[service]["environment"]

        settings = Settings(
            **{name.removeprefix(PREFIX).lower(): value for name, value in variables.items()}
        )

        assert len(settings.model_fields_set) == len(variables)


def test_compose_shows_the_server_without_authentication_to_this_machine_alone() -> None:
    assert all(port.startswith("127.0.0.1:") for port in services()["inventory-job"]["ports"])
    assert "ports" not in services()["mongo"]


def test_nothing_starts_before_mongodb_has_a_primary() -> None:
    for service in ("seed", "inventory-job"):
        assert services()[service]["depends_on"] == {"mongo": {"condition": "service_healthy"}}
    assert "isWritablePrimary" in services()["mongo"]["healthcheck"]["test"][-1]

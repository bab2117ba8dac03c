"""The image's recipe, the compose file and the workflow, checked without what runs them."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from inventory_job.settings import Settings

ROOT = Path(__file__).parents[3]
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


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("compose-spec", COMPOSE),
        ("github-workflows", ROOT / ".github" / "workflows" / "checks.yaml"),
    ],
    ids=["compose", "workflow"],
)
def test_a_file_for_another_program_fits_its_specification(schema: str, file: Path) -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", str(file)]

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

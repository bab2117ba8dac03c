"""The locks pin, by hash, what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "deploy" / "requirements.lock"
BUILD = ROOT / "deploy" / "build.lock"
TESTS = ROOT / ".ci" / "requirements.lock"
LOCKS = pytest.mark.parametrize("lock", [IMAGE, BUILD, TESTS], ids=["image", "build", "tests"])


def entries(lock: Path) -> list[str]:
    """The requirements of a lock, each with its hashes on one line."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pinned(lock: Path) -> dict[str, str]:
    """Versions by name."""
    requirements = [Requirement(entry.partition("--hash")[0]) for entry in entries(lock)]
    return {canonicalize_name(each.name): str(each.specifier)[2:] for each in requirements}


def declared() -> dict[str, list[str]]:
    """What pyproject.toml asks for, by lock."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    runtime = [*project["project"]["dependencies"], *extras["otel"]]
    return {
        IMAGE.name: runtime,
        BUILD.name: project["build-system"]["requires"],
        "all": [*runtime, *extras["embedded"], *extras["dev"]],
    }


@LOCKS
def test_every_package_is_pinned_with_hashes(lock: Path) -> None:
    form = re.compile(r"[a-z0-9.-]+==\S+( ; .+?)?( +--hash=sha256:[0-9a-f]{64})+")

    assert [entry for entry in entries(lock) if not form.fullmatch(entry)] == []


@pytest.mark.parametrize(
    ("lock", "name"),
    [(IMAGE, IMAGE.name), (BUILD, BUILD.name), (TESTS, "all")],
    ids=["image", "build", "tests"],
)
def test_every_requirement_is_met_by_its_pin(lock: Path, name: str) -> None:
    pins = pinned(lock)
    requirements = [Requirement(text) for text in declared()[name]]

    unmet = [
        str(requirement)
        for requirement in requirements
        if requirement.name != "inventory-job"
        and not requirement.specifier.contains(
            pins.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
    ]

    assert unmet == [], "run scripts/lock"


def test_tests_run_with_what_the_image_holds() -> None:
    tests = pinned(TESTS)

    differences = {
        name: version for name, version in pinned(IMAGE).items() if tests.get(name) != version
    }

    assert differences == {}


def test_the_image_holds_no_database() -> None:
    assert [name for name in pinned(IMAGE) if name.startswith("fiftyone")] == []


@LOCKS
def test_a_lock_does_not_say_where_packages_came_from(lock: Path) -> None:
    assert "://" not in lock.read_text(encoding="utf-8")

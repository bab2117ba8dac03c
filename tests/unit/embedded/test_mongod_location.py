"""Where the embedded database's program comes from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from inventory_job.embedded.data_directory import EmbeddedError
from inventory_job.embedded.mongod import default_data_dir, find_mongod


def make_binary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all that can be imported from."""
    directory = tmp_path / "site-packages"
    directory.mkdir()
    monkeypatch.setattr(sys, "path", [str(directory)])
    return directory


def test_the_mongod_on_path_comes_first(on_path: Path, site_packages: Path) -> None:
    expected = make_binary(on_path / "mongod")
    make_binary(site_packages / "fiftyone" / "db" / "bin" / "mongod")

    assert find_mongod() == expected


def test_without_one_on_path_the_extra_gives_it(on_path: Path, site_packages: Path) -> None:
    expected = make_binary(site_packages / "fiftyone" / "db" / "bin" / "mongod")

    assert find_mongod() == expected


def test_the_package_of_the_extra_is_not_imported(on_path: Path, site_packages: Path) -> None:
    make_binary(site_packages / "fiftyone" / "db" / "bin" / "mongod")
    for package in ("fiftyone", "fiftyone/db"):
        (site_packages / package / "__init__.py").write_text("raise SystemExit('imported')")

    find_mongod()

    assert "fiftyone" not in sys.modules


@pytest.mark.usefixtures("on_path")
def test_a_mongod_that_may_not_be_run_is_not_found(site_packages: Path) -> None:
    make_binary(site_packages / "fiftyone" / "db" / "bin" / "mongod").chmod(0o644)

    with pytest.raises(EmbeddedError, match="No MongoDB server program"):
        find_mongod()


@pytest.mark.usefixtures("on_path", "site_packages")
@pytest.mark.parametrize(
    "way",
    ["--mongo-uri", "INVENTORY_JOB_MONGO_URI", "PATH", "pip install 'inventory-job[embedded]'"],
)
def test_without_any_the_error_names_the_ways_to_get_one(way: str) -> None:
    with pytest.raises(EmbeddedError) as not_found:
        find_mongod()

    assert way in str(not_found.value)


def test_this_machine_has_a_mongod_that_can_be_run() -> None:
    assert os.access(find_mongod(), os.X_OK)


def test_data_lives_in_the_users_data_directory_unless_configured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    directory = default_data_dir()

    assert directory.is_relative_to(tmp_path)
    assert directory.parts[-2:] == ("inventory-job", "mongod")

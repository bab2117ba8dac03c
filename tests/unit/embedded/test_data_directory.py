"""The lock of a data directory says whether its database runs, and its content where."""

from __future__ import annotations

from pathlib import Path

from inventory_job.embedded.data_directory import DataDirectory

URI = "mongodb://127.0.0.1:1/"


def test_the_address_is_known_from_when_the_owner_writes_it_until_it_gives_the_directory_back(
    tmp_path: Path,
) -> None:
    directory = DataDirectory(tmp_path / "data")
    assert directory.running_uri() is None

    with directory.owned() as lock:
        assert directory.running_uri() is None
        lock.write(URI.encode())
        assert directory.running_uri() == URI

    assert directory.running_uri() is None


def test_what_a_dead_owner_wrote_is_no_running_database(tmp_path: Path) -> None:
    (tmp_path / "owner.lock").write_text(f"1\n{URI}")

    assert DataDirectory(tmp_path).running_uri() is None

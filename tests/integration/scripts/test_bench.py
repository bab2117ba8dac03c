"""The benchmark measures what it says it does: all its servers give the same answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import bench
import pytest

pytestmark = pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")


def test_all_servers_answer_all_workloads_alike(mongo_uri: str, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    options = ["--jobs", "600", "--callers", "2", "--rounds", "1", "--seconds", "0.02"]
    options += ["--rivals-indexes", "reference", "--mongo-uri", mongo_uri, "--json", str(results)]
    options += ["--contenders", "ours,bare,floor,odm"]

    subprocess.run([sys.executable, bench.__file__, *options], check=True)

    found = json.loads(results.read_text())
    assert {result["contender"] for result in found} == {"ours", "bare", "floor", "odm"}
    assert len({result["workload"] for result in found}) == 15
    assert all(result["figures"]["rps"] > 0 for result in found)

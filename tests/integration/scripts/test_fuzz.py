"""A short run of the fuzzer; scripts/fuzz runs it for longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FUZZER = Path(__file__).parents[3] / "scripts" / "fuzzing.py"


def test_the_server_withstands_arbitrary_requests() -> None:
    command = [sys.executable, str(FUZZER), "--seconds", "6", "--callers", "2"]

    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "the server passes" in run.stdout

"""The server does what its OpenAPI document says, for whatever is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import oracle
from tests.support.http_service import served
from tests.support.store import Store

DOMAIN = "domain-of-six"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
HEADERS = {
    "x-domain-id": DOMAIN,
    # A made-up timeout may well pass, and then 504 is right.
    "x-request-timeout": "20",
}


@pytest.mark.timeout(120)
def test_answers_are_as_described_and_none_is_a_server_error(
    database: Store, tmp_path: Path
) -> None:
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    with served(database) as origin:
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{origin}/openapi.json"),
                *("--url", origin),
                *("--mode", "all"),
                *("--max-examples", "40"),
                *("--seed", "1"),
                *("--checks", ",".join(CHECKS)),
                "--no-color",
                *(part for name in HEADERS for part in ("--header", f"{name}: {HEADERS[name]}")),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "Tested: 5" in run.stdout

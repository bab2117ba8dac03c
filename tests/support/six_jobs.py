"""The six jobs of the specification's examples, their scope, and a time after them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.oracle import Scope, six_jobs

DOMAIN = "domain-a"
SCOPE = Scope(DOMAIN)
NOW = datetime.fromisoformat("2026-03-06T12:00:00.000500")
JOBS = six_jobs(DOMAIN)

Plain = dict[str, Any]

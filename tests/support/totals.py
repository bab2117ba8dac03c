"""A process that keeps totals, and what other services do beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from inventory_job.auth.scope import Scope
from inventory_job.embedded.data_directory import wait_until
from inventory_job.query.filters import ScopedFilter
from tests.support.counting import Counting

PROMISED_SECONDS = 1.0
NOON = datetime(2026, 3, 7, 12)


class Process(Counting):
    """A process that keeps totals, of domains here."""

    def total(self, domain_id: str, *conditions: dict[str, Any]) -> int:
        """The number of the domain's jobs that meet the conditions."""
        return self.count(ScopedFilter(Scope(domain_id), conditions))

    def settle(self, domain_id: str, *conditions: dict[str, Any]) -> int:
        """Asks until the total is kept, and says what it is."""
        jobs = ScopedFilter(Scope(domain_id), conditions)
        assert wait_until(lambda: self.knows(jobs), 20.0)
        return self.count(jobs)

    def counts(self, domain_id: str, *conditions: dict[str, Any]) -> bool:
        """Whether it counts to tell the total."""
        before = len(self.commands.sent)
        self.total(domain_id, *conditions)
        return "aggregate" in self.commands.sent[before:]


Insert = Callable[..., list[Any]]


def shows_in_time(read: Callable[[], Any], expected: Any) -> bool:
    """Whether the expected answer comes within the time promised, and then stays."""
    return wait_until(lambda: read() == expected, PROMISED_SECONDS) and all(
        read() == expected for _ in range(3)
    )

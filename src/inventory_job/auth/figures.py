"""How callers were established, in numbers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from inventory_job.auth.callers import Authenticator


class Tally:
    """A number that only grows, shared by threads."""

    __slots__ = ("_lock", "value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.value = 0

    def add(self) -> None:
        """One more."""
        with self._lock:
            self.value += 1


@dataclass(frozen=True, slots=True)
class AuthFigures:
    """Counts since the start, of calls with a token that had been verified a moment ago
    (`remembered`) or was looked at as a whole (`verified`, good or not), and of calls to the
    identity service, with those that brought no answer (`asked`, `unanswered`).

    They stay 0 where there are no tokens, or no identity service.
    """

    remembered: Tally = field(default_factory=Tally)
    verified: Tally = field(default_factory=Tally)
    asked: Tally = field(default_factory=Tally)
    unanswered: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who tells who is calling, and how that went so far."""

    authenticator: Authenticator
    figures: AuthFigures

"""Shell completion of fields, operators and values; does not call a server."""

from __future__ import annotations

import re
from collections.abc import Iterable

from inventory_job.cli.client.calls import JOB_ENUMS, JOB_FIELDS
from inventory_job.cli.client.filters import SYMBOLS

_TIMES = ("now-1h", "now-1d", "now-7d", "now-30d", "now/d", "now/w", "now/m")
_FILTER = re.compile(
    r"(?P<begun>(?P<key>\w+)(?P<symbol>[!=~<>]+)(?:.*,)?)(?P<value>[^,]*)", re.DOTALL
)
_DATES = frozenset({"created_at", "updated_at", "finished_at"})


def fields(incomplete: str) -> list[str]:
    """Completes the last name in a comma-separated list of fields."""
    return _continued(incomplete, JOB_FIELDS)


def sort_keys(incomplete: str) -> list[str]:
    """Like `fields`, with each name ascending and, with '-', descending."""
    return _continued(incomplete, [prefix + name for name in JOB_FIELDS for prefix in ("", "-")])


def filters(incomplete: str) -> list[str]:
    """Completes the field, the operator or the value of a filter."""
    match = _FILTER.fullmatch(incomplete)
    if match and match["symbol"] in SYMBOLS:
        values = [match["begun"] + value for value in _values(match["key"], match["symbol"])]
        return [text for text in values if text.startswith(incomplete)]
    # One step at a time: offers operators only once the field is complete.
    begun = incomplete and not incomplete.isidentifier()
    symbols = SYMBOLS if begun or incomplete in JOB_FIELDS else ("",)
    return _beginning(incomplete, [name + symbol for name in JOB_FIELDS for symbol in symbols])


def _values(key: str, symbol: str) -> list[str]:
    if key in _DATES and SYMBOLS[symbol].relative:
        return [*_TIMES]
    return [*JOB_ENUMS.get(key, ())]


def _continued(incomplete: str, names: Iterable[str]) -> list[str]:
    begun, comma, last = incomplete.rpartition(",")
    return [f"{begun}{comma}{name}" for name in _beginning(last, names)]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]

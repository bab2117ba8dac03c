"""The limits of one request, and the check that a decoded request is within them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from inventory_job.errors import InvalidRequest, Problem, invalid
from inventory_job.query.problems import Location, path_of

_CONDITION_LISTS = frozenset({"filter", "filter_or", "conditions"})
_NAME_LISTS = frozenset(
    {"only", "sort", "keys", "fields", "group_by", "field_group", "select", "add_fields", "lookup"}
)
_MOST_REPORTED = 100
_MOST_SORT_KEYS = 30  # MongoDB's limit is 32; the rest is for tie-breakers.


class Limits(BaseModel):
    """The limits of one request. A request above one fails with ERROR_INVALID_PARAMETER."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_bytes: int = Field(4096, ge=1, le=16_384, description="Longest text, in bytes of UTF-8.")
    list_items: int = Field(10_000, ge=1, description="Longest list or dictionary.")
    values: int = Field(
        50_000,
        ge=100,
        description="Most values in one request: members of dictionaries and elements of lists, "
        "the inner ones too.",
    )
    conditions: int = Field(500, ge=1, description="Most conditions in one request.")
    stages: int = Field(50, ge=1, le=500, description="Most stages in one aggregate.")
    names: int = Field(
        100, ge=1, le=1000, description="Most entries in a list of names, keys, fields or sorts."
    )
    depth: int = Field(
        32, ge=8, le=60, description="Deepest nesting of a request, and most parts of a path."
    )
    pattern_comparisons: int = Field(
        50_000_000,
        ge=1000,
        description="Most comparisons of patterns with jobs in one query: words of contain and its "
        "kin and of the keyword, and regular expressions, times the jobs that scope and conditions "
        "on indexed fields leave. 20 patterns are always allowed.",
    )
    lookup_tasks: int = Field(
        2_000_000,
        ge=1000,
        description="Most tasks that the lookups of one query may read: for each job that it is "
        "about all tasks of the tenant, or 20 where the tasks' field is job_id.",
    )
    distinct_values: int = Field(
        100_000, ge=1, description="Most values a distinct query may have."
    )
    result_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Largest page of results, in bytes as stored."
    )


def check_size(request: Mapping[str, Any], limits: Limits) -> None:
    """Checks the sizes in a decoded request, before any other validation.

    Raises InvalidRequest with a problem (at most a hundred) for each value that exceeds a limit.
    """
    if not any(_may_exceed(value, limits) for value in request.values()):
        return  # Most gets end here; the names at the top level are those of the .proto.
    conditions = 0

    def excesses(where: Location, value: Any) -> Iterator[Problem]:
        nonlocal conditions
        reason = _excess(where, value, limits)
        if isinstance(value, list) and where and where[-1] in _CONDITION_LISTS:
            conditions += len(value)
            if conditions > limits.conditions:
                reason = f"more than {limits.conditions} conditions in one request"
        if reason:
            # Do not walk the members of this value: they may be many, and it is refused anyway.
            yield invalid(path_of(where), reason)
        else:
            is_deepest = len(where) == limits.depth
            for place, member in value.items() if isinstance(value, dict) else enumerate(value):
                if is_deepest or _may_exceed(member, limits):
                    yield from excesses((*where, place), member)

    if problems := [*islice(excesses((), request), _MOST_REPORTED)]:
        raise InvalidRequest(problems)


def _excess(where: Location, value: Any, limits: Limits) -> str | None:
    """Why `value`, for which `_may_exceed` is true or which lies too deep, is refused, if it is."""
    if len(where) > limits.depth:
        return f"nested more than {limits.depth} levels deep"
    if isinstance(value, str):
        return f"longer than {limits.text_bytes} bytes"
    if where and where[-1] == "aggregate" and len(value) > limits.stages:
        return f"more than {limits.stages} stages"
    if where and where[-1] in _NAME_LISTS and len(value) > limits.names:
        return f"more than {limits.names} entries"
    if where and where[-1] == "sort" and len(value) > _MOST_SORT_KEYS:
        return f"more than {_MOST_SORT_KEYS} sort keys"
    if len(value) > limits.list_items:
        return f"more than {limits.list_items} items"
    if isinstance(value, dict) and any(_is_long(name, limits) for name in value):
        return f"longer than {limits.text_bytes} bytes"
    return None


def _may_exceed(value: Any, limits: Limits) -> bool:
    return _is_long(value, limits) if isinstance(value, str) else isinstance(value, dict | list)


def _is_long(text: str, limits: Limits) -> bool:
    # A character has at most four bytes in UTF-8, so most strings pass without being encoded.
    return len(text) * 4 > limits.text_bytes and len(text.encode()) > limits.text_bytes

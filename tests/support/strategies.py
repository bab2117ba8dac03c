"""Requests of the query language, as proto3 JSON, built from small parts for hypothesis.

All are good; `tests.support.nonsense` puts nonsense into one. Values come from the same pools as
the documents of `tests.oracle.many_jobs`, so that conditions find something.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

Request = dict[str, Any]
Strategy = st.SearchStrategy
_Option = TypeVar("_Option")

TEXTS = {
    "job_id": ["job-", "0", "a1", "job-000000000001"],
    "status": ["SUCCESS", "FAILURE", "IN_PROGRESS", "CANCELED", "success", "ERROR", ""],
    "collector_id": ["collector-a", "Collector-A", "collector-(c)", "SAMMLER-Ä", "[d"],
    "plugin_id": ["plugin-x", "plugin.x", "^plugin", "$plugin", "a|b", "\\d", ".*", " "],
    "resource_group": ["DOMAIN", "WORKSPACE", "O"],
    "workspace_id": ["workspace-1", "workspace-2", "*"],
    "domain_id": ["domain-a", "domain-b"],
    "request_secret_id": ["secret-1", "Secret-2", "SECRET"],
}
INTEGERS = ["total_tasks", "remained_tasks", "success_tasks", "failure_tasks"]
DATES = ["created_at", "updated_at", "finished_at"]
PATHS = [*TEXTS, *INTEGERS, *DATES, "collector_info.name", "tags", "tags.key", "nothing"]
NAMES = ["a", "b", "status", "n", "at"]

numbers = st.sampled_from([0, 1, 2, 3, 5, 7, 13, 100, -1])
iso_times = st.sampled_from(
    ["2026-01-01", "2026-02-15T12:00:00Z", "2026-02-15T21:30:00.250+09:00", "2025-07-04 08:00:00"]
)
relative_times = st.sampled_from(
    ["now", "now-30d", "now/d", "now/w-2w", " now/m + 36h ", "now-90m"]
)
regexes = st.sampled_from(["^p", "a$", "[a-c]", "x|y", "\\.", "", "job-0+", "S.*S"])


def chosen(options: Iterable[_Option]) -> Strategy[_Option]:
    """One of these. The same strategy for the same options: making one costs more than drawing."""
    return _chosen(tuple(options))


@cache
def _chosen(options: tuple[_Option, ...]) -> Strategy[_Option]:
    return st.sampled_from(options)


def several(
    options: Iterable[_Option], least: int = 0, most: int | None = None
) -> Strategy[list[_Option]]:
    """So many of these, all different; the same strategy for the same options."""
    return _several(tuple(options), least, most)


@cache
def _several(options: tuple[_Option, ...], least: int, most: int | None) -> Strategy[list[_Option]]:
    return st.lists(st.sampled_from(options), min_size=least, max_size=most, unique=True)


def spelled(long: str, short: str) -> Strategy[str]:
    """One of the two spellings of a member."""
    return chosen((long, short))


def condition() -> Strategy[Request]:
    """A condition of a filter that the server takes."""
    return st.tuples(_spellings, st.one_of(*_CONDITIONS)).map(
        lambda drawn: dict(zip(drawn[0], drawn[1], strict=True))
    )


_spellings = st.tuples(spelled("key", "k"), spelled("operator", "o"), spelled("value", "v"))


def _of_text(field: str) -> Strategy[tuple[str, str, Any]]:
    text = st.sampled_from(TEXTS[field])
    single = st.sampled_from(["eq", "not", "lt", "lte", "gt", "gte"])
    return st.one_of(
        st.tuples(st.just(field), single, text | st.none()),
        st.tuples(st.just(field), st.sampled_from(["contain", "not_contain"]), text),
        st.tuples(
            st.just(field),
            st.sampled_from(["contain_in", "not_contain_in"]),
            st.lists(text, max_size=3),
        ),
        st.tuples(
            st.just(field),
            st.sampled_from(["in", "not_in"]),
            st.lists(text | st.none(), max_size=3),
        ),
        st.tuples(st.just(field), st.just("regex"), regexes),
        st.tuples(st.just(field), st.just("regex_in"), st.lists(regexes, max_size=2)),
    )


def _of_integer(field: str) -> Strategy[tuple[str, str, Any]]:
    value = numbers | numbers.map(str) | numbers.map(float) | st.none()
    single = st.sampled_from(["eq", "not", "lt", "lte", "gt", "gte"])
    return st.tuples(st.just(field), single, value) | st.tuples(
        st.just(field), st.sampled_from(["in", "not_in"]), st.lists(value, max_size=3)
    )


def _of_date(field: str) -> Strategy[tuple[str, str, Any]]:
    compared = ["lt", "lte", "gt", "gte"]
    return st.one_of(
        st.tuples(st.just(field), st.sampled_from(["eq", "not", *compared]), iso_times | st.none()),
        st.tuples(
            st.just(field), st.sampled_from(["in", "not_in"]), st.lists(iso_times, max_size=2)
        ),
        st.tuples(st.just(field), st.sampled_from([f"datetime_{c}" for c in compared]), iso_times),
        st.tuples(
            st.just(field), st.sampled_from([f"timediff_{c}" for c in compared]), relative_times
        ),
    )


_of_any = st.tuples(
    st.sampled_from([*TEXTS, *INTEGERS, *DATES, "id"]), st.just("exists"), st.booleans()
) | st.tuples(st.sampled_from(list(TEXTS)), st.just("match"), st.just({"x": 1}))
_CONDITIONS: list[Strategy[tuple[str, str, Any]]] = [
    *map(_of_text, TEXTS),
    *map(_of_integer, INTEGERS),
    *map(_of_date, DATES),
    _of_any,
]

pages = st.fixed_dictionaries(
    {}, optional={"start": st.integers(0, 12), "limit": st.sampled_from([0, 1, 2, 5, 50, 2000])}
)


def filtered(optional: dict[str, Strategy[Any]]) -> Strategy[Request]:
    """Members that every query has, and `optional` others."""
    return st.fixed_dictionaries(
        {},
        optional={
            "filter": st.lists(condition(), max_size=3),
            "filter_or": st.lists(condition(), max_size=2),
            "keyword": st.sampled_from(["", "  ", "a", "job 1f", "zzz"]),
            **optional,
        },
    )


sorts = st.lists(
    st.fixed_dictionaries(
        {"key": st.sampled_from([*TEXTS, *INTEGERS, *DATES, "id"])},
        optional={"desc": st.booleans()},
    ),
    max_size=3,
)

list_requests: Strategy[Request] = st.fixed_dictionaries(
    {},
    optional={
        "query": filtered(
            {
                "sort": sorts,
                "page": pages,
                "minimal": st.booleans(),
                "count_only": st.booleans(),
                "only": st.lists(st.sampled_from([*TEXTS, *INTEGERS, *DATES]), max_size=3),
            }
        ),
        "status": st.sampled_from(["SUCCESS", "FAILURE", "TIMEOUT", "JOB_STATE_NONE"]),
        "collector_id": st.sampled_from(TEXTS["collector_id"]),
        "plugin_id": st.sampled_from(TEXTS["plugin_id"]),
    },
)


def _group(draw: st.DrawFn, paths: list[str]) -> Request:
    """A group over rows with these paths; its names are all different."""
    names = draw(several(NAMES, 1, 4))
    cut = draw(st.integers(0, len(names)))
    keys = [_group_key(draw, name, paths) for name in names[:cut]]
    fields = [group_field(draw, name, paths) for name in names[cut:]]
    return {"group": {"keys": keys, "fields": fields}}


_name_spelling, _key_spelling = spelled("name", "n"), spelled("key", "k")


def _group_key(draw: st.DrawFn, name: str, paths: list[str]) -> Request:
    long = {
        draw(_name_spelling): name,
        draw(_key_spelling): draw(chosen(paths)),
    }
    if draw(st.integers(0, 4)) == 0:
        long[next(key for key in long if key.startswith("k"))] = draw(
            chosen(["created_at", "finished_at"])
        )
        long["date_format"] = draw(chosen(["year", "month", "day", "%Y-%m", "%H:%M %j"]))
    return long


comparisons = st.fixed_dictionaries(
    {
        "key": st.sampled_from([*TEXTS, *INTEGERS]),
        "operator": st.sampled_from(["eq", "not", "gt", "gte", "lt", "lte"]),
        "value": numbers | st.sampled_from(["SUCCESS", "$status", "plugin-x"]) | st.none(),
    }
)


_comparisons = st.lists(comparisons, max_size=2)


def group_field(draw: st.DrawFn, name: str, paths: list[str]) -> Request:
    """A computed field of a group over rows with these paths."""
    operator = draw(
        chosen(["count", "sum", "average", "max", "min", "first", "last", "push", "add_to_set"])
    )
    field: Request = {"name": name, "operator": operator}
    if operator != "count":
        field["key"] = draw(chosen(paths))
    if operator == "push" and draw(st.booleans()):
        field["fields"] = [{"key": draw(chosen(paths)), "name": "x"}]
    if operator in ("count", "sum", "average"):
        field["conditions"] = draw(_comparisons)
    return field


unwind_filters = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["tags.key", "tags.value", "status"]),
            "operator": st.sampled_from(["eq", "not", "contain", "not_contain"]),
            "value": st.sampled_from(["env", "prod", "a.b*", "SUCCESS", "team"]),
        }
    ),
    max_size=2,
)
unwinds = st.fixed_dictionaries(
    {"path": st.sampled_from(["tags", "status", "nothing"])}, optional={"filter": unwind_filters}
)


@cache
def _one_or_two(paths: tuple[str, ...]) -> Strategy[list[str]]:
    return st.lists(st.sampled_from(paths), min_size=1, max_size=2)


@st.composite
def aggregates(draw: st.DrawFn) -> list[Request]:
    """Stages; after a group, its names are what later ones speak of."""
    stages: list[Request] = []
    paths = PATHS
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(
            chosen(["group", "group", "sort", "project", "unwind", "limit", "skip", "count"])
        )
        if kind == "group":
            stages.append(_group(draw, paths))
            made = stages[-1]["group"]
            paths = [member.get("name") or member["n"] for member in made["keys"] + made["fields"]]
        elif kind == "sort":
            keys = draw(_one_or_two(tuple(paths)))
            stages.append({"sort": [{"key": key, "desc": draw(st.booleans())} for key in keys]})
        elif kind == "project":
            names = draw(several(NAMES, 1, 4))
            fields = [{"name": name, "key": draw(chosen(paths))} for name in names]
            stages.append({"project": {"fields": fields, "exclude_keys": draw(st.booleans())}})
        elif kind == "unwind":
            stages.append({"unwind": draw(unwinds)})
        elif kind == "count":
            stages.append({"count": {"name": "n"}})
            paths = ["n"]
        else:
            stages.append({kind: draw(st.integers(1, 20))})
    return stages


stat_requests: Strategy[Request] = st.one_of(
    st.tuples(filtered({"page": pages}), aggregates()).map(
        lambda parts: {"query": {**parts[0], "aggregate": parts[1]}}
    ),
    st.tuples(filtered({"page": pages}), st.sampled_from(PATHS)).map(
        lambda parts: {"query": {**parts[0], "distinct": parts[1]}}
    ),
)

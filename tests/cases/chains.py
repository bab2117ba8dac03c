"""Stages one after the other, above all groups on end, and the rows they give."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cases.stats import COUNT, Document, by, group


@dataclass(frozen=True, slots=True)
class ChainCase:
    """An aggregate over the six jobs: 4 pairs of status and plugin, of which one has 3 jobs."""

    name: str
    aggregate: list[Document]
    rows: list[Document]


_STATUS, _PLUGIN, _COLLECTOR = by("status", "a"), by("plugin_id", "b"), by("collector_id", "d")
_PAIRS = group([_STATUS, _PLUGIN])
_COUNTED_PAIRS = group([_STATUS, _PLUGIN], c=COUNT)
_SUMMED_PAIRS = group([_STATUS, _PLUGIN], m={"operator": "sum", "key": "total_tasks"})
_TRIPLES = group([_STATUS, _PLUGIN, _COLLECTOR], c=COUNT)
_PAIRS_AGAIN = group([by("a", "a"), by("b", "b")], c={"operator": "sum", "key": "c"})
_BY_A = group([by("a", "a")], c={"operator": "sum", "key": "c"})
_OF_ALL = group([], total={"operator": "sum", "key": "c"})
_HOW_MANY: Document = {"count": {"name": "n"}}
_BY_STATUS = [
    {"a": "FAILURE", "c": 1},
    {"a": "IN_PROGRESS", "c": 1},
    {"a": "SUCCESS", "c": 4},
]

CASES = [
    ChainCase("how many pairs", [_PAIRS, _HOW_MANY], [{"n": 4}]),
    ChainCase("how many counted pairs", [_COUNTED_PAIRS, _HOW_MANY], [{"n": 4}]),
    ChainCase("how many triples", [_TRIPLES, _HOW_MANY], [{"n": 5}]),
    ChainCase("how many by one key", [group([_STATUS]), _HOW_MANY], [{"n": 3}]),
    ChainCase(
        "the sum of the sums of pairs",
        [_SUMMED_PAIRS, group([], m={"operator": "sum", "key": "m"})],
        [{"m": 21}],
    ),
    ChainCase(
        "by the sums of pairs",
        [_SUMMED_PAIRS, group([by("m", "m")])],
        [{"m": 2}, {"m": 3}, {"m": 6}, {"m": 10}],
    ),
    ChainCase(
        "by the counts of pairs",
        [_COUNTED_PAIRS, group([by("c", "jobs")], pairs=COUNT)],
        [{"jobs": 1, "pairs": 3}, {"jobs": 3, "pairs": 1}],
    ),
    ChainCase("pairs by one of their keys", [_COUNTED_PAIRS, _BY_A], _BY_STATUS),
    ChainCase("triples by one of their keys", [_TRIPLES, _BY_A], _BY_STATUS),
    ChainCase("triples, pairs, one key", [_TRIPLES, _PAIRS_AGAIN, _BY_A], _BY_STATUS),
    ChainCase("three groups, counted", [_TRIPLES, _PAIRS_AGAIN, _BY_A, _HOW_MANY], [{"n": 3}]),
    ChainCase("three groups, added up", [_TRIPLES, _PAIRS_AGAIN, _BY_A, _OF_ALL], [{"total": 6}]),
    ChainCase(
        "five groups on end",
        [_TRIPLES, _PAIRS_AGAIN, _PAIRS_AGAIN, _BY_A, _BY_A],
        _BY_STATUS,
    ),
    ChainCase("one row, counted", [_COUNTED_PAIRS, _OF_ALL, _HOW_MANY], [{"n": 1}]),
    ChainCase(
        "counts of counts",
        [_COUNTED_PAIRS, _HOW_MANY, {"count": {"name": "m"}}, {"count": {"name": "k"}}],
        [{"k": 1}],
    ),
    ChainCase(
        "skips of nothing between", [_TRIPLES, {"skip": 0}, _PAIRS_AGAIN, {"skip": 0}, _HOW_MANY],
        [{"n": 4}],
    ),
    ChainCase(
        "filters between",
        [
            _TRIPLES,
            {"unwind": {"path": "c", "filter": [{"k": "a", "o": "eq", "v": "SUCCESS"}]}},
            _PAIRS_AGAIN,
            {"unwind": {"path": "c"}},
            _HOW_MANY,
        ],
        [{"n": 2}],
    ),
    ChainCase(
        "a project without the keys between",
        [
            _TRIPLES,
            {"project": {"fields": [by("a", "a"), by("c", "c")], "exclude_keys": True}},
            _BY_A,
            group([by("c", "c")], n=COUNT),
            _HOW_MANY,
        ],
        [{"n": 2}],
    ),
    ChainCase(
        "sorted, cut and grouped",
        [
            _COUNTED_PAIRS,
            {"sort": [{"key": "c", "desc": True}, {"key": "a"}]},
            {"limit": 3},
            _BY_A,
            _OF_ALL,
        ],
        [{"total": 5}],
    ),
]  # fmt: skip

"""Groups kept apart, and when an index holds all that a pipeline reads."""

from __future__ import annotations

from typing import Any

import pytest

from inventory_job.query.optimizer import CoveringIndex, covering, in_order, separate_groups

DOMAIN = {"domain_id": {"$eq": "domain-1"}}
GROUPS = CoveringIndex("groups", ("domain_id", "plugin_id", "status", "created_at"))
WIDER = CoveringIndex("wider", (*GROUPS.fields, "workspace_id", "collector_id"))
COUNT = {"$sum": 1}


def null_for_absent(path: str) -> dict[str, Any]:
    return {"$ifNull": [path, None]}


def group(key: Any, **fields: Any) -> dict[str, Any]:
    return {"$group": {"_id": key, **fields}}


def test_the_smallest_index_that_holds_all_fields_is_hinted() -> None:
    stages = [group({"plugin": null_for_absent("$plugin_id")}, n=COUNT)]

    assert covering(DOMAIN, stages, [WIDER, GROUPS]) == "groups"


@pytest.mark.parametrize(
    "stages",
    [
        [group({"tasks": null_for_absent("$total_tasks")}, n=COUNT)],
        [group({"plugin": null_for_absent("$plugin_id")}, n={"$sum": "$total_tasks"})],
        [group({"plugin": null_for_absent("$plugin_id")}, n={"$push": "$status"})],
        [{"$sort": {"status": 1}}, group({"plugin": null_for_absent("$plugin_id")}, n=COUNT)],
        [],
    ],
    ids=["another key", "another field", "a list", "not first", "nothing"],
)
def test_no_index_is_hinted_for_what_it_does_not_hold(stages: list[dict[str, Any]]) -> None:
    assert covering(DOMAIN, stages, [WIDER, GROUPS]) is None


@pytest.mark.parametrize(
    "filter_", [{**DOMAIN, "status": "FAILURE"}, {"$and": [DOMAIN, {"$or": [{"status": "X"}]}]}]
)
def test_filters_that_may_have_an_index_of_their_own_are_left_to_the_database(
    filter_: dict[str, Any],
) -> None:
    stages = [group({"plugin": null_for_absent("$plugin_id")}, n=COUNT)]

    assert covering(filter_, stages, [GROUPS]) is None


BY_PLUGIN = group({"p": "$plugin_id"}, n=COUNT)
SORT = {"$sort": {"_id": 1}}
APART = {"$limit": 2**62}


@pytest.mark.parametrize(
    ("stages", "separated"),
    [
        ([], []),
        ([SORT], [SORT]),
        ([BY_PLUGIN, SORT], [BY_PLUGIN, SORT]),
        ([SORT, {"$count": "n"}], [SORT, {"$count": "n"}]),
        ([BY_PLUGIN, BY_PLUGIN], [BY_PLUGIN, APART, BY_PLUGIN]),
        ([BY_PLUGIN, {"$count": "n"}], [BY_PLUGIN, APART, {"$count": "n"}]),
        ([{"$count": "n"}, BY_PLUGIN], [{"$count": "n"}, APART, BY_PLUGIN]),
        (
            [SORT, BY_PLUGIN, {"$skip": 0}, BY_PLUGIN, {"$count": "n"}],
            [SORT, BY_PLUGIN, APART, {"$skip": 0}, BY_PLUGIN, {"$count": "n"}],
        ),
    ],
    ids=str,
)
def test_the_first_group_is_kept_apart_from_the_others(
    stages: list[dict[str, Any]], separated: list[dict[str, Any]]
) -> None:
    assert separate_groups(stages) == separated


def test_literals_are_not_taken_for_fields() -> None:
    key = {"$cond": [{"$eq": ["$status", {"$literal": "$total_tasks"}]}, 1, 0]}

    assert covering(DOMAIN, [group({"k": key}, n=COUNT)], [GROUPS]) == "groups"


NEWEST_FIRST = {"created_at": -1, "_id": 1}
NEWEST = CoveringIndex("newest", ("domain_id", "created_at", "_id"), (1, -1, 1))
NEWEST_OF_WORKSPACE = CoveringIndex(
    "newest of workspace", ("domain_id", "workspace_id", "created_at", "_id"), (1, 1, -1, 1)
)


@pytest.mark.parametrize(
    ("filter_", "order", "expected"),
    [
        (DOMAIN, NEWEST_FIRST, "newest"),
        ({**DOMAIN, "$and": [{"created_at": {"$gt": 1}}]}, NEWEST_FIRST, "newest"),
        ({**DOMAIN, "workspace_id": "w"}, NEWEST_FIRST, "newest of workspace"),
        ({**DOMAIN, "workspace_id": {"$in": ["w", "*"]}}, NEWEST_FIRST, "newest of workspace"),
        ({**DOMAIN, "$and": [{"workspace_id": {"$regex": "w"}}]}, NEWEST_FIRST, None),
        ({**DOMAIN, "$and": [{"status": "FAILURE"}]}, NEWEST_FIRST, None),
        ({**DOMAIN, "$and": [{"$or": [{"created_at": 1}, {"status": 1}]}]}, NEWEST_FIRST, None),
        ({**DOMAIN, "$and": [{"$expr": {"$eq": ["$status", 1]}}]}, NEWEST_FIRST, None),
        (DOMAIN, {"created_at": 1, "_id": 1}, None),
        (DOMAIN, {"_id": 1, "created_at": -1}, None),
        (DOMAIN, {"status": 1, "_id": 1}, None),
    ],
)
def test_the_index_that_has_the_order_and_all_fields_of_the_filter_is_hinted(
    filter_: dict[str, Any], order: dict[str, int], expected: str | None
) -> None:
    assert in_order(filter_, order, [GROUPS, NEWEST, NEWEST_OF_WORKSPACE]) == expected

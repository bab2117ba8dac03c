"""Groups kept apart."""

from __future__ import annotations

from typing import Any

import pytest

from inventory_job.query.rewrites import separate_groups

COUNT = {"$sum": 1}


def group(key: Any, **fields: Any) -> dict[str, Any]:
    return {"$group": {"_id": key, **fields}}


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

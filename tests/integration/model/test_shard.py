"""What a shard does with the service's indexes and queries: docs/scaling.md says it in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from inventory_job.model.documents import INDEXES, JOB_COLLECTION, Index
from tests.support.shard import Shard

JOBS = 50
SCOPE = {"domain_id": "d"}
ONE = SCOPE | {"$and": [{"job_id": "job-3"}]}
NEWEST: dict[str, Any] = {
    "find": JOB_COLLECTION,
    "filter": SCOPE,
    "sort": {"created_at": -1, "_id": 1},
    "skip": 5,
    "limit": 10,
}
SHARD_KEY_INDEX = "domain_id_1_job_id_1"


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shard]:
    """The jobs, sharded as docs/scaling.md has it, with all indexes that can be had."""
    key = {"domain_id": 1, "job_id": 1}
    with Shard(tmp_path_factory.mktemp("shard"), JOB_COLLECTION, key) as shard:
        jobs = [{"domain_id": "d", "job_id": f"job-{n}", "created_at": n} for n in range(JOBS)]
        shard.command({"insert": JOB_COLLECTION, "documents": jobs})
        for index in INDEXES:
            if index.collection == JOB_COLLECTION and not index.unique:
                create(shard, index)
        yield shard


def create(shard: Shard, index: Index) -> None:
    document = {"key": dict(index.keys), "name": index.name, "unique": index.unique}
    shard.command({"createIndexes": JOB_COLLECTION, "indexes": [document]})


def aggregate(*stages: dict[str, Any]) -> dict[str, Any]:
    pipeline = [{"$match": SCOPE}, *stages]
    return {"aggregate": JOB_COLLECTION, "pipeline": pipeline, "cursor": {}}


def test_a_unique_index_that_does_not_begin_with_the_shard_key_is_refused(shard: Shard) -> None:
    for index in INDEXES:
        if index.unique:
            with pytest.raises(OperationFailure) as raised:
                create(shard, index)
            assert raised.value.code == 67


def test_the_shard_key_keeps_job_ids_unique_within_a_domain(shard: Shard) -> None:
    again = {"domain_id": "d", "job_id": "job-3"}

    answer = shard.command({"insert": JOB_COLLECTION, "documents": [again]})

    assert [error["code"] for error in answer["writeErrors"]] == [11000]


@pytest.mark.parametrize(
    "command",
    [
        {"find": JOB_COLLECTION, "filter": ONE},
        {"delete": JOB_COLLECTION, "deletes": [{"q": ONE, "limit": 1}]},
    ],
    ids=["get", "delete"],
)
def test_one_job_is_found_by_the_shard_key(shard: Shard, command: dict[str, Any]) -> None:
    stages, documents = shard.plan(command)

    assert stages[-2:] == ["FETCH", SHARD_KEY_INDEX]
    assert documents == 1


def test_all_jobs_of_a_domain_are_counted_in_the_index_of_the_shard_key(shard: Shard) -> None:
    assert shard.plan(aggregate({"$count": "jobs"})) == (["SHARDING_FILTER", SHARD_KEY_INDEX], 0)


def test_a_page_reads_the_jobs_that_it_skips(shard: Shard) -> None:
    stages, documents = shard.plan(NEWEST)

    index = "inventory_job_domain_newest"
    assert stages == ["LIMIT", "SKIP", "SHARDING_FILTER", "FETCH", index]
    assert documents == 15


def test_groups_read_jobs_unless_an_index_has_the_shard_key_as_well(shard: Shard) -> None:
    groups = aggregate({"$group": {"_id": "$status", "jobs": {"$sum": 1}}})
    assert shard.plan(groups)[1] == JOBS

    create(shard, Index(JOB_COLLECTION, "groups", ("domain_id", "status", "job_id")))

    stages, documents = shard.plan(groups)
    assert stages[-3:] == ["PROJECTION_COVERED", "SHARDING_FILTER", "groups"]
    assert documents == 0

"""A page of results is bounded in bytes, so that no request takes all the server's memory."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from inventory_job.query.limits import Limits
from inventory_job.settings import Settings
from tests.support import reflection
from tests.support.store import Store

MOST = 20_000
DOMAIN = "domain-large"
METHOD = "spaceone.api.inventory.v1.Job/"
# Each row carries the ids of all jobs: rows that grow with the square of what is stored.
SQUARED = [
    {
        "group": {
            "fields": [
                {"name": "a", "key": "job_id", "operator": "push"},
                {"name": "b", "key": "job_id", "operator": "push"},
            ]
        }
    },
    {"unwind": {"path": "a"}},
]


@pytest.fixture(scope="module")
def settings(mongo_uri: str, database_name: str, database: Store) -> Settings:
    """A server that takes small results only, over a hundred jobs."""
    database.jobs.insert_many(
        {"domain_id": DOMAIN, "job_id": f"job-{number:012x}", "plugin_id": "p" * 400}
        for number in range(100)
    )
    return Settings(
        port=0,
        mongo_uri=SecretStr(mongo_uri),
        mongo_database=database_name,
        limits=Limits(result_bytes=MOST),
    )


def call(channel: grpc.Channel, method: str, query: dict[str, Any]) -> dict[str, Any]:
    return reflection.call(channel, METHOD + method, {"query": query}, (("x_domain_id", DOMAIN),))


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("stat", {"aggregate": SQUARED}),
        ("list", {}),
        ("list", {"sort": [{"key": "x"}], "add_fields": {"x": 1}}),
        (
            "analyze",
            {"group_by": ["job_id"], "fields": {"p": {"operator": "push", "key": "plugin_id"}}},
        ),
    ],
    ids=["stat", "list", "computed list", "analyze"],
)
def test_a_larger_page_is_refused(
    channel: grpc.Channel, method: str, query: dict[str, Any]
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        call(channel, method, query)

    failed: Any = raised.value
    assert failed.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.details() == (
        "ERROR_INVALID_PARAMETER: Parameter is invalid. "
        f"(key = query, reason = the result is larger than {MOST} bytes; ask for less)"
    )


def test_a_page_of_fewer_rows_is_answered_with_the_total(channel: grpc.Channel) -> None:
    answer = call(channel, "stat", {"aggregate": SQUARED, "page": {"limit": 2}})

    assert len(answer["results"]) == 2
    assert answer["total_count"] == 100

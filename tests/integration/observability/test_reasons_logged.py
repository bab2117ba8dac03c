"""What a server logs of a database that is not as it should be, and how it goes on."""

from __future__ import annotations

from urllib.parse import urlsplit

import grpc
import pytest
from pymongo import ASCENDING

from tests.support.client import Client
from tests.support.proxy import Proxy
from tests.support.serving import Serving
from tests.support.store import Store


@pytest.mark.parametrize("member", [b"electionId", b"lastWrite", b"majorityOpTime"])
def test_totals_are_kept_again_when_a_primary_says_again_what_it_has_written(
    mongo_uri: str, database: Store, member: bytes
) -> None:
    database.jobs.drop()
    database.jobs.insert_many({"job_id": f"job-{n}", "domain_id": "domain-1"} for n in range(3))
    address = urlsplit(mongo_uri).netloc
    with Proxy(int(address.partition(":")[2])) as proxy:
        proxy.renamed = {member: member.replace(b"e", b"_")}
        uri = mongo_uri.replace(address, proxy.host)
        with Serving(uri, mongo_database=database.name, totals=100) as serving:
            with serving.channel() as channel:
                # The first list counts, and has the changes followed.
                assert Client(channel, "domain-1").list({"page": {"limit": 1}})["total_count"] == 3
            lost = serving.await_entry("totals are counted each time")

            proxy.renamed = {}

            serving.await_entry("totals are kept again")

    assert lost["reason"] == "the primary does not say what it has written"


def test_a_refused_index_is_logged_in_words_of_ours(mongo_uri: str, database: Store) -> None:
    database.jobs.drop()
    filter_ = {"plugin_id": "plugin-secret"}
    for name, field in (("status_1", "status"), ("COMPOUND_INDEX_FOR_GC_1", "finished_at")):
        database.jobs.create_index([(field, ASCENDING)], name=name, partialFilterExpression=filter_)

    with Serving(mongo_uri, mongo_database=database.name, create_indexes="true") as serving:
        refused = [serving.await_entry("index_refused") for _ in range(2)]

    assert {entry["index"]: entry["reason"] for entry in refused} == {
        "status_1": "An index of this name has other keys or options, error 86",
        "COMPOUND_INDEX_FOR_GC_1": "An index of this name has other keys or options, error 86",
    }


def test_a_name_that_cannot_be_looked_up_makes_calls_unavailable() -> None:
    uri = "mongodb+srv://cluster.nowhere.invalid/"
    with Serving(uri, server_selection_seconds=2) as serving, serving.channel() as channel:
        client = Client(channel, "domain-1")
        refused = [client.refused("get", {"job_id": "job-1"}) for _ in range(2)]
        refused.append(client.refused("delete", {"job_id": "job-1"}))
        refused.append(client.refused("list", {}))

    assert {each.status for each in refused} == {grpc.StatusCode.UNAVAILABLE}
    assert {each.code for each in refused} == {"ERROR_UNAVAILABLE"}

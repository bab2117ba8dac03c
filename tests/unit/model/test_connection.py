"""A Database opens nothing by itself, shows no secrets, and refuses what can never work."""

from __future__ import annotations

import time

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from inventory_job.model.client import Database, InvalidDatabase
from tests.support.loops import in_loop

# Port 9 (discard) of the loopback interface: nothing answers there.
NOWHERE = "mongodb://127.0.0.1:9/"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://127.0.0.1:27017", "mongodb://127.0.0.1:27017/inventory"),
        ("mongodb://a.test:1,b.test:2/?replicaSet=r", "mongodb://a.test:1,b.test:2/inventory"),
        ("mongodb://user:secret@a.test/admin?w=1", "mongodb://a.test/inventory"),
        ("mongodb://user:s%40cret@a.test?tls=true", "mongodb://a.test/inventory"),
        ("mongodb+srv://user:secret@cluster.test/", "mongodb+srv://cluster.test/inventory"),
    ],
    ids=["plain", "several hosts", "credentials", "escaped", "srv"],
)
@in_loop
async def test_a_database_is_described_by_hosts_and_name_without_credentials(
    uri: str, shown: str
) -> None:
    database = Database(uri, "inventory")

    assert database.describe() == shown
    assert "secret" not in repr(database)
    await database.close()


@pytest.mark.parametrize(
    "uri",
    ["", "localhost", "http://localhost", "mongodb://", "mongodb://host:port/"],
)
def test_a_malformed_connection_string_is_refused_at_once(uri: str) -> None:
    with pytest.raises(InvalidDatabase, match="connection string is not valid"):
        Database(uri, "inventory")


@pytest.mark.parametrize("name", ["", "a.b", "a b", "$x"])
def test_a_malformed_database_name_is_refused_at_once(name: str) -> None:
    with pytest.raises(InvalidDatabase, match="not a valid database name"):
        Database(NOWHERE, name)


def test_a_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(InvalidDatabase) as refusal:
        Database("mongodb://user:hunter2@host:port/", "inventory")

    assert "hunter2" not in str(refusal.value)


@in_loop
async def test_opening_a_database_does_not_need_it() -> None:
    started = time.monotonic()

    database = Database(NOWHERE, "inventory", server_selection_seconds=30)
    collection = database.jobs
    await database.close()

    assert collection.full_name == "inventory.job"
    assert time.monotonic() - started < 5


@in_loop
async def test_an_unreachable_database_is_given_up_after_the_configured_seconds() -> None:
    database = Database(NOWHERE, "inventory", server_selection_seconds=0.1)

    with pytest.raises(ServerSelectionTimeoutError):
        await database.ping()
    with pytest.raises(ServerSelectionTimeoutError):
        await database.has_transactions()

    await database.close()


@in_loop
async def test_the_options_of_the_connection_string_win_over_ours() -> None:
    database = Database(f"{NOWHERE}?maxPoolSize=3&appName=mine", "inventory")

    options = database.client.options.pool_options

    assert (options.max_pool_size, options.appname) == (3, "mine")
    await database.close()


@in_loop
async def test_a_database_may_be_closed_twice() -> None:
    database = Database(NOWHERE, "inventory")

    await database.close()
    await database.close()

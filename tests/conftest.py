"""Fixtures that tests of every level share: a real MongoDB, and a database of one's own in it."""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import settings
from pymongo import MongoClient

from inventory_job.embedded.mongod import embedded_mongod
from inventory_job.results import StoredDocument
from tests.support.store import Store

_WAITING = ("test_keepalive.py", "test_not_ready.py", "test_stop.py", "test_embedded_ends.py")
"""Files whose tests wait for minutes, and use seconds of a core."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=int, help="try this many random examples of each property")


def pytest_configure(config: pytest.Config) -> None:
    """Properties are tried on the same 1 000 examples each time, or as --examples says."""
    examples = config.getoption("--examples")
    # Without a deadline for each of them: a test that hangs has pytest's timeout, and the first
    # example may wait for a loaded machine.
    common = settings(deadline=None)
    settings.register_profile("ci", common, max_examples=1000, derandomize=True, database=None)
    settings.register_profile("long", common, max_examples=examples or 1000, print_blob=True)
    settings.load_profile("long" if examples else "ci")
    # Servers of many tests run side by side, and few tests are about HTTP.
    os.environ.setdefault("INVENTORY_JOB_HTTP", "false")
    # Tests write to the database themselves and want to see it at once.
    os.environ.setdefault("INVENTORY_JOB_TOTALS", "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What mostly waits begins first: one process does so, while the others use the cores, and none
    of it is the last to end."""
    waiting = {name: place for place, name in enumerate(_WAITING)}
    items.sort(key=lambda item: waiting.get(item.path.name, len(waiting)))


def pytest_collection_finish() -> None:
    """What has been loaded and collected stays to the end: of hundreds of thousands of objects,
    the garbage collector need not look at these again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without this service's variables."""
    for name in [name for name in os.environ if name.startswith("INVENTORY_JOB_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Connection string of a replica set: INVENTORY_JOB_TEST_MONGO_URI, else one of our own.

    Without either the tests fail: what they say about the database is not said by a fake.
    """
    configured = os.environ.get("INVENTORY_JOB_TEST_MONGO_URI")
    if configured:
        yield configured
        return
    with embedded_mongod(tmp_path_factory.mktemp("mongod")) as uri:
        yield uri


@pytest.fixture(scope="module")
def database_name(mongo_uri: str) -> Iterator[str]:
    """The name of a database that only this module uses; dropped afterwards."""
    name = f"inventory-job-test-{uuid.uuid4().hex}"
    yield name
    with MongoClient[StoredDocument](mongo_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def database(mongo_uri: str, database_name: str) -> Iterator[Store]:
    """The module's database, on a server that has transactions."""
    with Store(mongo_uri, database_name) as store:
        if not store.has_transactions:
            pytest.fail("the database is not a replica set: it has no transactions")
        yield store

"""Connections that are there and of no use: logged out, or with nobody at the other end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from inventory_job.embedded.data_directory import wait_until
from inventory_job.model.client import Database
from inventory_job.model.operation import Killer, Traits, run
from tests.guarded_set import GuardedReplicaSet
from tests.proxy import Proxies, Proxy


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedReplicaSet]:
    with GuardedReplicaSet(tmp_path_factory.mktemp("guarded"), size=1) as members:
        yield members


class Patient:
    """A call with so many seconds left all the time, which nobody gives up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def remaining(self) -> float:
        return self._seconds

    def on_end(self, end: Callable[[], None]) -> bool:
        return True


def test_calls_succeed_again_after_the_user_was_dropped_and_created(
    guarded: GuardedReplicaSet,
) -> None:
    with (
        closing(Database(guarded.uri, "inventory", server_selection_seconds=1.0)) as database,
        closing(Killer(database)) as killer,
    ):

        def count(session: ClientSession) -> int:
            return database.jobs.count_documents({}, session=session)

        def succeeds() -> bool:
            try:
                return run(database, killer, Patient(60.0), count) == 0
            except OperationFailure:
                return False

        assert succeeds()
        guarded.drop_user()
        assert not succeeds()

        guarded.create_user()

        assert wait_until(succeeds, 10.0)


def test_calls_succeed_on_other_connections_than_those_on_which_nothing_comes(
    guarded: GuardedReplicaSet,
) -> None:
    """Connections that a firewall has forgotten, for instance."""
    with (
        Proxies([member.port for member in guarded.members]) as proxies,
        closing(Database(proxies.through(guarded.uri), "inventory")) as database,
        closing(Killer(database)) as killer,
    ):

        def find(session: ClientSession) -> object:
            return database.find_job({"job_id": "job-none"}, {}, session, 60.0)

        run(database, killer, Patient(60.0), find, Traits(limits_itself=True))
        proxies.each(Proxy.forsake)

        begun = time.monotonic()
        assert run(database, killer, Patient(60.0), find, Traits(limits_itself=True)) is None

    # The driver alone would have waited for 15 seconds at least.
    assert time.monotonic() - begun < 10.0


def test_connections_are_not_made_anew_for_every_refusal(guarded: GuardedReplicaSet) -> None:
    with closing(Database(guarded.uri, "inventory")) as database:
        database.ping()

        assert database.renew_connections()
        assert not database.renew_connections()

        database.ping()

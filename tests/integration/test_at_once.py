"""What an event loop answers is what a thread answers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import event, given
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from inventory_job.embedded.data_directory import wait_until
from inventory_job.errors import (
    InvalidRequest,
    NotAtOnce,
    NotFound,
    PermissionDenied,
    RequestTimeout,
)
from inventory_job.manager import JobManager
from inventory_job.model.channels import Channels
from inventory_job.model.client import Database
from inventory_job.model.counts.cache import Totals
from inventory_job.model.indexes import CoveringIndexes, ensure_indexes
from inventory_job.model.operation import Killer
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import JobPlan, ListPlan, plan_job, plan_list
from inventory_job.query.schema import parse_job, parse_list
from inventory_job.transport.loop import LoopThread
from inventory_job.wire.decode import decode
from tests import oracle, strategies
from tests.integration.test_properties import JOBS, NOW, built, law, scopes
from tests.lower_half import Unbounded

TENANTS = [
    Scope("domain-a"),
    Scope("domain-b", ("workspace-1",)),
    Scope("domain-a", ("workspace-2", "*")),
]
PLAIN = {"page": {"start": 1, "limit": 10}}


@dataclass(frozen=True, slots=True)
class Managed:
    """A manager, and the loop of its channels."""

    manager: JobManager
    loop: LoopThread
    totals: Totals

    def at_once(self, plan: ListPlan) -> Any:
        return self.loop.run(self.manager.list_at_once(plan, Unbounded()))

    def get_at_once(self, plan: JobPlan) -> Any:
        return self.loop.run(self.manager.get_at_once(plan, Unbounded()))


@pytest.fixture(scope="module")
def managed(database: Database) -> Iterator[Managed]:
    """Over a few hundred varied jobs that nobody changes, with totals kept."""
    database.jobs.insert_many(copy.deepcopy(JOBS))
    ensure_indexes(database)
    indexes = CoveringIndexes(database)
    indexes.look()
    channels = Channels(database)
    loop = LoopThread("test")
    with closing(Killer(database)) as killer, closing(Totals(database)) as totals:
        manager = JobManager(database, killer, totals, indexes, channels=channels)
        try:
            yield Managed(manager, loop, totals)
        finally:

            async def close() -> None:
                channels.close()

            loop.run(close())
            loop.close()


def planned(request: Message, scope: Scope) -> ListPlan:
    return plan_list(parse_list(decode(request), ParseContext(Limits(), NOW)), scope)


def known(managed: Managed, plan: ListPlan) -> bool:
    """Has the total of a list kept, if it can be; whether it is."""
    for _ in range(3):
        managed.manager.list(plan, Unbounded())
    return managed.totals.knows(plan.jobs)


@pytest.mark.parametrize("scope", TENANTS, ids=str)
def test_short_lists_whose_total_is_known_are_answered_at_once(
    managed: Managed, scope: Scope
) -> None:
    plan = planned(built("list", {"query": PLAIN}), scope)

    def is_answered() -> bool:
        try:
            managed.at_once(plan)
        except NotAtOnce:
            return False
        return True

    assert wait_until(lambda: known(managed, plan) and is_answered(), 20.0)


requests = st.one_of(
    strategies.list_requests,
    # Those that are answered at once more often.
    st.fixed_dictionaries(
        {},
        optional={
            "query": st.fixed_dictionaries(
                {},
                optional={
                    "page": st.fixed_dictionaries(
                        {}, optional={"start": st.integers(0, 90), "limit": st.integers(0, 120)}
                    ),
                    "only": st.lists(
                        st.sampled_from(["job_id", "status", "created_at"]), max_size=3
                    ),
                    "minimal": st.booleans(),
                    "count_only": st.booleans(),
                },
            )
        },
    ),
)


@law
@given(requests, scopes)
def test_a_list_that_is_answered_at_once_is_the_same(
    managed: Managed, request: dict[str, Any], scope: Scope
) -> None:
    try:
        plan = planned(built("list", request), scope)
    except (InvalidRequest, PermissionDenied):
        return
    if not known(managed, plan):
        event("the total is not kept")
        return
    try:
        page = managed.at_once(plan)
    except NotAtOnce:
        event("not at once")
        return
    event("at once")
    assert page == managed.manager.list(plan, Unbounded())


@pytest.mark.parametrize("scope", [*TENANTS, Scope("domain-of-nobody")], ids=str)
def test_a_get_that_is_answered_at_once_is_the_same(managed: Managed, scope: Scope) -> None:
    answers: list[tuple[Any, Any]] = []
    for job in oracle.many_jobs(rng_seed=1, count=300):
        if not isinstance(job.get("job_id"), str) or not job["job_id"]:
            continue
        plan = plan_job(parse_job({"job_id": job["job_id"]}, ParseContext(Limits(), NOW)), scope)
        wait_until(lambda plan=plan: outcome(managed.get_at_once, plan) is not None, 20.0)  # type: ignore[misc]
        answers.append((outcome(managed.get_at_once, plan), outcome(in_thread(managed), plan)))

    assert len(answers) > 100
    assert all(at_once == in_a_thread for at_once, in_a_thread in answers)


def in_thread(managed: Managed) -> Callable[[JobPlan], Any]:
    return lambda plan: managed.manager.get(plan, Unbounded())


def outcome(get: Callable[[JobPlan], Any], plan: JobPlan) -> Any:
    """The job, or that there is none; None while it is not told at once."""
    try:
        return get(plan)
    except NotFound as error:
        return str(error)
    except NotAtOnce:
        return None


def test_what_would_count_search_or_take_long_is_left_to_threads(managed: Managed) -> None:
    tenant = TENANTS[0]
    assert wait_until(lambda: known(managed, planned(built("list", {"query": PLAIN}), tenant)), 20)
    for query in (
        {"filter": [{"k": "status", "v": "SUCCESS", "o": "eq"}]},
        {"keyword": "job"},
        {"sort": [{"key": "status"}]},
        {"page": {"limit": 101}},
        {"page": {"start": 5000, "limit": 10}},
    ):
        plan = planned(built("list", {"query": query}), tenant)
        with pytest.raises(NotAtOnce):
            managed.at_once(plan)


def test_a_page_that_shows_all_jobs_and_its_total_agree_whoever_writes_meanwhile(
    managed: Managed, database: Database
) -> None:
    scope = Scope("domain-growing")
    plan = planned(built("list", {"query": {"page": {"limit": 100}}}), scope)
    counted = planned(built("list", {"query": {"count_only": True}}), scope)
    for number in range(20):
        assert wait_until(lambda: known(managed, counted), 20)
        database.jobs.insert_one({"job_id": f"new-{number}", "domain_id": "domain-growing"})
        try:
            page = managed.at_once(plan)
        except NotAtOnce:
            continue
        assert page.total == len(page.documents)


def test_nothing_is_answered_at_once_after_the_deadline(managed: Managed) -> None:
    class Over(Unbounded):
        def remaining(self) -> float:
            return 0.0

    plan = planned(built("list", {"query": PLAIN}), TENANTS[0])
    with pytest.raises(RequestTimeout):
        managed.loop.run(managed.manager.list_at_once(plan, Over()))

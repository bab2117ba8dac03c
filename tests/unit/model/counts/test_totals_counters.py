"""Numbers of jobs stay exact through every change, in whatever order counts and changes come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from bson import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from inventory_job.model.counts.counters import Change, Counter, Counters
from inventory_job.query.countable import Countable, countable
from inventory_job.query.filters import ScopedFilter


def jobs_of(domain_id: str, *conditions: dict[str, Any]) -> Countable:
    found = countable(ScopedFilter(Scope(domain_id), conditions))
    assert found is not None
    return found


ALL = jobs_of("domain-1")
AWS = jobs_of("domain-1", {"plugin_id": "aws"})
OTHERS = jobs_of("domain-2")


def time(second: int) -> Timestamp:
    return Timestamp(second, 1)


def insert(at: int, domain_id: Any = "domain-1", plugin_id: Any = "aws") -> Change:
    return Change(time(at), {"domain_id": domain_id, "plugin_id": plugin_id})


def other(at: int) -> Change:
    """A change that is no insert."""
    return Change(time(at))


@pytest.fixture
def counters() -> Counters:
    """Room for four numbers; changes after second 10 will be reported."""
    started = Counters(4)
    started.promise(time(10))
    return started


def begin(counters: Counters, jobs: Countable) -> Counter:
    """A count of `jobs`, which were wanted before."""
    counters.begin(jobs)
    counter = counters.begin(jobs)
    assert counter is not None
    return counter


def keep(counters: Counters, jobs: Countable, total: int) -> None:
    """The number of `jobs` is known from a count."""
    counter = begin(counters, jobs)
    assert counters.settle(counter, total, counter.at) == total


def test_a_number_is_known_after_it_was_counted(counters: Counters) -> None:
    keep(counters, ALL, 7)

    assert counters.get(ALL) == 7
    assert counters.get(AWS) is None


def test_a_filter_asked_for_once_is_not_kept(counters: Counters) -> None:
    assert counters.begin(ALL) is None
    assert counters.begin(ALL) is not None


def test_the_number_used_longest_ago_gives_way(counters: Counters) -> None:
    kept = [jobs_of(f"domain-{number}") for number in range(5)]
    for jobs in kept[:4]:
        keep(counters, jobs, 1)
    counters.get(kept[0])

    keep(counters, kept[4], 1)

    assert [counters.get(jobs) for jobs in kept] == [1, None, 1, 1, 1]


def test_what_never_comes_again_pushes_nothing_out(counters: Counters) -> None:
    keep(counters, ALL, 7)

    for number in range(1000):
        counters.begin(jobs_of("domain-1", {"collector_id": f"collector-{number}"}))

    assert counters.get(ALL) == 7


def test_an_insert_adds_one_where_it_belongs(counters: Counters) -> None:
    for jobs in (ALL, AWS, OTHERS):
        keep(counters, jobs, 7)

    counters.apply([insert(11), insert(12, plugin_id="azure"), insert(13, domain_id=None)])

    assert [counters.get(jobs) for jobs in (ALL, AWS, OTHERS)] == [9, 8, 7]


def test_an_insert_that_cannot_be_judged_drops_the_number(counters: Counters) -> None:
    keep(counters, ALL, 7)
    keep(counters, AWS, 7)

    counters.apply([insert(11, plugin_id=["aws", "azure"])])

    assert [counters.get(jobs) for jobs in (ALL, AWS)] == [8, None]


def test_an_insert_into_no_one_domain_drops_all_numbers(counters: Counters) -> None:
    keep(counters, ALL, 7)
    keep(counters, OTHERS, 7)

    counters.apply([insert(11, domain_id=["domain-1", "domain-2"])])

    assert counters.kept == 0


def test_a_change_that_does_not_say_whose_job_it_was_drops_all_numbers(counters: Counters) -> None:
    keep(counters, ALL, 7)
    keep(counters, OTHERS, 7)

    counters.apply([other(11)])

    assert counters.kept == 0
    assert counters.dropped == 2


@pytest.mark.parametrize("change", [insert(12), other(12)])
def test_a_change_before_the_count_is_in_it_already(counters: Counters, change: Change) -> None:
    counters.promise(time(12))
    keep(counters, ALL, 7)

    counters.apply([change])

    assert counters.get(ALL) == 7


def test_changes_reported_while_counting_are_added_when_they_are_later(counters: Counters) -> None:
    counters.promise(time(12))
    counter = begin(counters, ALL)

    counters.apply([other(11), insert(12), insert(13)])

    assert counters.settle(counter, 7, counter.at) == 8
    assert counters.get(ALL) == 8


def test_a_count_is_not_kept_when_a_delete_followed(counters: Counters) -> None:
    counter = begin(counters, ALL)

    counters.apply([other(12)])

    assert counters.settle(counter, 7, counter.at) == 7
    assert counters.get(ALL) is None


@pytest.mark.parametrize("later", ["applied", "promised", "cleared"])
def test_a_count_is_never_of_a_time_before_what_was_shown(counters: Counters, later: str) -> None:
    if later == "applied":
        counters.apply([insert(12)])
    elif later == "promised":
        counters.promise(time(12))
    else:
        counters.clear(time(12))
    counters.promise(time(11))

    assert begin(counters, ALL).at == time(12)


def test_all_numbers_are_cleared_at_once(counters: Counters) -> None:
    for jobs in (ALL, AWS, OTHERS):
        keep(counters, jobs, 7)

    counters.clear(time(11))

    assert [counters.get(jobs) for jobs in (ALL, AWS, OTHERS)] == [None, None, None]


@pytest.mark.parametrize("at", [time(12), None])
def test_a_count_that_began_before_all_was_cleared_is_not_kept(
    counters: Counters, at: Timestamp | None
) -> None:
    counter = begin(counters, ALL)
    counters.clear(at)

    assert counters.settle(counter, 7, counter.at) == 7

    assert counters.get(ALL) is None


def test_a_failed_count_can_be_tried_again(counters: Counters) -> None:
    counters.abandon(begin(counters, ALL))

    assert counters.begin(ALL) is not None


def test_more_changes_than_are_worth_it_drop_the_numbers_of_their_domain_and_no_others() -> None:
    counters = Counters(1000)
    for number in range(100):
        keep(counters, jobs_of("domain-1", {"collector_id": f"collector-{number}"}), 1)
    keep(counters, OTHERS, 7)

    counters.apply([insert(11), insert(12, domain_id="domain-2")] * 1000)

    assert counters.kept == 1
    assert counters.get(OTHERS) == 1007


def test_an_insert_into_no_domain_changes_nothing(counters: Counters) -> None:
    keep(counters, ALL, 7)

    counters.apply([insert(11, domain_id=None), Change(time(12), {})])

    assert counters.get(ALL) == 7


def test_stats_say_how_often_a_number_was_known(counters: Counters) -> None:
    counters.get(ALL)
    keep(counters, ALL, 7)
    counters.get(ALL)

    assert (counters.hits, counters.misses, counters.kept, counters.dropped) == (1, 1, 1, 0)


@dataclass(frozen=True)
class Step:
    """What happens next: a change in the database, changes being reported, a delete of one's own at
    the latest time, a count at its begin or its end; `number` says which job, plugin or filter."""

    what: str
    number: int


_STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(
            ["insert", "insert", "move", "touch", "delete", "report", "clear", "begin", "settle"]
        ),
        st.integers(0, 5),
    ),
    max_size=60,
)
_FILTERS = [
    ALL,
    AWS,
    OTHERS,
    jobs_of("domain-2", {"plugin_id": {"$ne": "aws"}}),
    jobs_of("domain-1", {"$or": [{"plugin_id": "aws"}, {"plugin_id": "oci"}]}),
    jobs_of("domain-1", {"plugin_id": {"$in": ["oci", None]}}),
]
_PLUGINS = ["aws", "oci", None]


class History:
    """A collection at every time of its history, and what was reported of it so far."""

    def __init__(self) -> None:
        self.states: list[list[dict[str, Any]]] = [[]]
        self.changes: list[Change] = []
        self.reported = 0

    def total(self, jobs: Countable, at: int) -> int:
        """The truth at a time."""
        return sum(bool(jobs.includes(job)) for job in self.states[at])

    def change(self, step: Step) -> None:
        """One change, at the next time."""
        jobs = [*self.states[-1]]
        at = time(len(self.states))
        if step.what == "insert":
            job = {
                "domain_id": f"domain-{step.number % 2 + 1}",
                "plugin_id": _PLUGINS[step.number % 3],
            }
            jobs.append(job)
            self.changes.append(Change(at, job))
        elif not jobs:
            return
        elif step.what == "delete":
            jobs.pop(step.number % len(jobs))
            self.changes.append(Change(at))
        else:
            chosen = step.number % len(jobs)
            field = "plugin_id" if step.what == "touch" else "domain_id"
            value = _PLUGINS[step.number % 3] if step.what == "touch" else f"domain-{step.number}"
            jobs[chosen] = jobs[chosen] | {field: value}
            self.changes.append(Change(at))
        self.states.append(jobs)


@given(_STEPS)
def test_a_known_number_is_always_the_truth_of_what_was_reported(steps: list[Step]) -> None:
    history, counters = History(), Counters(4)
    counters.promise(time(0))
    running: dict[Countable, Counter] = {}
    known_at: dict[Countable, int] = {}
    for step in steps:
        jobs = _FILTERS[step.number]
        if step.what in {"insert", "move", "touch", "delete"}:
            history.change(step)
        elif step.what == "report":
            last = min(history.reported + step.number, len(history.changes))
            counters.apply(history.changes[history.reported : last])
            history.reported = last
        elif step.what == "begin" and jobs not in running:
            counter = counters.begin(jobs)
            if counter is not None:
                running[jobs] = counter
        elif step.what == "clear":
            counters.clear(time(len(history.states) - 1))
        elif step.what == "settle" and jobs in running:
            counter = running.pop(jobs)
            # The count is of this time or a later one.
            at = max(counter.at.time, len(history.states) - 1 - step.number)
            total = history.total(jobs, at)
            shown = counters.settle(counter, total, time(at))
            known_at[jobs] = at
            assert shown in {total, history.total(jobs, max(at, history.reported))}

        for each in _FILTERS:
            number = counters.get(each)
            if number is not None:
                assert number == history.total(each, max(known_at[each], history.reported))

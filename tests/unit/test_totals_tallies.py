"""Numbers of jobs stay exact through every change, in whatever order counts and changes come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from bson import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from inventory_job.model.counts.counters import Change, Tallies
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
    return Change("insert", time(at), job={"domain_id": domain_id, "plugin_id": plugin_id})


def update(at: int, *touched: str) -> Change:
    return Change("update", time(at), touched=frozenset(touched))


@pytest.fixture
def tallies() -> Tallies:
    """Room for four numbers; changes after second 10 will be reported."""
    started = Tallies(4)
    started.start(time(10))
    return started


def keep(tallies: Tallies, jobs: Countable, total: int, at: int = 10) -> None:
    """The number of `jobs` is known from a count at the time `at`."""
    tallies.begin(jobs)
    tally = tallies.begin(jobs)
    assert tally is not None
    assert tallies.settle(tally, total, time(at)) == total


def test_a_number_is_known_after_it_was_counted(tallies: Tallies) -> None:
    keep(tallies, ALL, 7)

    assert tallies.get(ALL) == 7
    assert tallies.get(AWS) is None


def test_a_filter_asked_for_once_is_not_kept(tallies: Tallies) -> None:
    assert tallies.begin(ALL) is None
    assert tallies.begin(ALL) is not None


def test_the_number_used_longest_ago_gives_way(tallies: Tallies) -> None:
    kept = [jobs_of(f"domain-{number}") for number in range(5)]
    for jobs in kept[:4]:
        keep(tallies, jobs, 1)
    tallies.get(kept[0])

    keep(tallies, kept[4], 1)

    assert [tallies.get(jobs) for jobs in kept] == [1, None, 1, 1, 1]


def test_what_never_comes_again_pushes_nothing_out(tallies: Tallies) -> None:
    keep(tallies, ALL, 7)

    for number in range(1000):
        tallies.begin(jobs_of("domain-1", {"collector_id": f"collector-{number}"}))

    assert tallies.get(ALL) == 7


def test_an_insert_adds_one_where_it_belongs(tallies: Tallies) -> None:
    for jobs in (ALL, AWS, OTHERS):
        keep(tallies, jobs, 7)

    tallies.apply([insert(11), insert(12, plugin_id="azure"), insert(13, domain_id=None)])

    assert [tallies.get(jobs) for jobs in (ALL, AWS, OTHERS)] == [9, 8, 7]


def test_an_insert_that_cannot_be_judged_drops_the_number(tallies: Tallies) -> None:
    keep(tallies, ALL, 7)
    keep(tallies, AWS, 7)

    tallies.apply([insert(11, plugin_id=["aws", "azure"])])

    assert [tallies.get(jobs) for jobs in (ALL, AWS)] == [8, None]


def test_an_insert_into_no_one_domain_drops_all_numbers(tallies: Tallies) -> None:
    keep(tallies, ALL, 7)
    keep(tallies, OTHERS, 7)

    tallies.apply([insert(11, domain_id=["domain-1", "domain-2"])])

    assert tallies.figures.kept == 0


def test_an_update_drops_numbers_of_filters_that_look_at_what_it_touched(tallies: Tallies) -> None:
    keep(tallies, ALL, 7)
    keep(tallies, AWS, 7)

    tallies.apply([update(11, "plugin_id"), update(12, "collector_id")])

    assert [tallies.get(jobs) for jobs in (ALL, AWS)] == [7, None]


@pytest.mark.parametrize("kind", ["delete", "replace", "drop", "rename", "invalidate"])
def test_a_change_that_does_not_say_whose_job_it_was_drops_all_numbers(
    tallies: Tallies, kind: str
) -> None:
    keep(tallies, ALL, 7)
    keep(tallies, OTHERS, 7)

    tallies.apply([Change(kind, time(11))])

    assert tallies.figures.kept == 0
    assert tallies.figures.dropped == 2


@pytest.mark.parametrize(
    "change", [insert(12), update(12, "domain_id"), Change("delete", time(12))]
)
def test_a_change_before_the_count_is_in_it_already(tallies: Tallies, change: Change) -> None:
    keep(tallies, ALL, 7, at=12)

    tallies.apply([change])

    assert tallies.get(ALL) == 7


def test_changes_reported_while_counting_are_added_when_they_are_later(tallies: Tallies) -> None:
    tallies.begin(ALL)
    tally = tallies.begin(ALL)
    assert tally is not None

    tallies.apply([Change("delete", time(11)), insert(12), insert(13)])

    assert tallies.settle(tally, 7, time(12)) == 8
    assert tallies.get(ALL) == 8


def test_a_count_is_not_kept_when_a_delete_followed(tallies: Tallies) -> None:
    tallies.begin(ALL)
    tally = tallies.begin(ALL)
    assert tally is not None

    tallies.apply([Change("delete", time(12))])

    assert tallies.settle(tally, 7, time(11)) == 7
    assert tallies.get(ALL) is None


@pytest.mark.parametrize("later", ["applied", "promised", "forgotten"])
def test_a_count_of_a_time_before_what_was_shown_is_no_answer(tallies: Tallies, later: str) -> None:
    if later == "applied":
        tallies.apply([insert(12)])
    elif later == "promised":
        tallies.promise(time(12))
    else:
        tallies.forget("domain-2", time(12))
    tallies.begin(ALL)
    tally = tallies.begin(ALL)
    assert tally is not None

    assert tallies.settle(tally, 7, time(11)) is None
    assert tallies.get(ALL) is None


def test_a_domain_is_forgotten_at_once(tallies: Tallies) -> None:
    for jobs in (ALL, AWS, OTHERS):
        keep(tallies, jobs, 7)

    tallies.forget("domain-1", time(11))

    assert [tallies.get(jobs) for jobs in (ALL, AWS, OTHERS)] == [None, None, 7]


@pytest.mark.parametrize("meanwhile", ["forgotten", "cleared", "started"])
def test_a_count_that_began_before_its_domain_was_forgotten_is_not_kept(
    tallies: Tallies, meanwhile: str
) -> None:
    tallies.begin(ALL)
    tally = tallies.begin(ALL)
    assert tally is not None
    if meanwhile == "forgotten":
        tallies.forget("domain-1", time(12))
    elif meanwhile == "cleared":
        tallies.clear()
    else:
        tallies.start(time(12))

    assert tallies.settle(tally, 7, time(11)) == 7

    assert tallies.get(ALL) is None


def test_a_failed_count_can_be_tried_again(tallies: Tallies) -> None:
    tallies.begin(ALL)
    failed = tallies.begin(ALL)
    assert failed is not None

    tallies.abandon(failed)

    assert tallies.begin(ALL) is not None


def test_more_changes_than_are_worth_it_drop_the_numbers() -> None:
    tallies = Tallies(1000)
    for number in range(100):
        keep(tallies, jobs_of("domain-1", {"collector_id": f"collector-{number}"}), 1)

    tallies.apply([insert(11)] * 1000)

    assert tallies.figures.kept == 0


def test_figures_tell_how_often_a_number_was_known(tallies: Tallies) -> None:
    tallies.get(ALL)
    keep(tallies, ALL, 7)
    tallies.get(ALL)

    figures = tallies.figures

    assert (figures.hits, figures.misses, figures.kept, figures.dropped) == (1, 1, 1, 0)


@dataclass(frozen=True)
class Step:
    """What happens next: a change in the database, changes being reported, a count at its begin
    or its end; `number` says which job, plugin or filter."""

    what: str
    number: int


_STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(
            ["insert", "insert", "move", "touch", "delete", "report", "begin", "count", "settle"]
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
            self.changes.append(Change("insert", at, job=job))
        elif not jobs:
            return
        elif step.what == "delete":
            jobs.pop(step.number % len(jobs))
            self.changes.append(Change("delete", at))
        else:
            chosen = step.number % len(jobs)
            field = "plugin_id" if step.what == "touch" else "domain_id"
            value = _PLUGINS[step.number % 3] if step.what == "touch" else f"domain-{step.number}"
            jobs[chosen] = jobs[chosen] | {field: value}
            self.changes.append(Change("update", at, touched=frozenset({field})))
        self.states.append(jobs)


@given(_STEPS)
def test_a_known_number_is_always_the_truth_of_what_was_reported(steps: list[Step]) -> None:
    history, tallies = History(), Tallies(4)
    tallies.start(time(0))
    running: dict[Countable, Any] = {}
    counted: dict[Countable, tuple[int, int]] = {}
    known_at: dict[Countable, int] = {}
    for step in steps:
        jobs = _FILTERS[step.number]
        if step.what in {"insert", "move", "touch", "delete"}:
            history.change(step)
        elif step.what == "report":
            last = min(history.reported + step.number, len(history.changes))
            tallies.apply(history.changes[history.reported : last])
            history.reported = last
        elif step.what == "begin" and jobs not in running:
            tally = tallies.begin(jobs)
            if tally is not None:
                running[jobs] = tally
        elif step.what == "count" and jobs in running and jobs not in counted:
            at = max(running[jobs].floor.time, len(history.states) - 1 - step.number % 3)
            counted[jobs] = (history.total(jobs, at), at)
        elif step.what == "settle" and jobs in counted:
            total, at = counted.pop(jobs)
            shown = tallies.settle(running.pop(jobs), total, time(at))
            known_at[jobs] = at
            assert shown in {total, history.total(jobs, max(at, history.reported))}

        for asked in _FILTERS:
            number = tallies.get(asked)
            if number is not None:
                assert number == history.total(asked, max(known_at[asked], history.reported))

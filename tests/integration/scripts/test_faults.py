"""Some of the faults that scripts/faults has happen to a database in use, more of them and longer.

Under load every answer is right, UNAVAILABLE or DEADLINE_EXCEEDED, nothing is deleted by halves,
and the server recovers without being restarted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faulting.callers import RIGHT, LoadOptions
from faulting.kinds import APP, KINDS
from faulting.runs import run_once
from faulting.scene import DATABASE, Scene, Setup, Stage, connect
from faulting.standalone import delete, run_standalone
from faulting.truth import judge, store

_BY_NAME = {kind.name: kind for kind in KINDS}
_SEVERAL = ("primary killed", "resets in mid-answer", "deletes broken off", "commit's answer lost")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A server that uses a replica set of three through proxies."""
    with (
        Stage(tmp_path_factory.mktemp("faults")) as stage,
        stage.scene(Setup(is_proxied=True)) as made,
    ):
        yield made


@pytest.mark.parametrize("name", _SEVERAL)
def test_a_fault_makes_no_answer_wrong_and_no_delete_half(scene: Scene, name: str) -> None:
    kind = replace(_BY_NAME[name], seconds=1.0)

    run = run_once(scene, kind, seed=1, options=LoadOptions(callers=4, deadlines=(1.0, 3.0)))

    assert run.complaints == []
    assert run.verdict.lost == run.verdict.half == run.verdict.changed == []
    assert run.verdict.left_open == []
    assert run.recovery is not None
    assert run.outcomes[RIGHT] > 0
    assert run.verdict.acknowledged > 0


def test_a_delete_whose_commit_does_not_arrive_leaves_no_transaction_open(scene: Scene) -> None:
    commands = ["commitTransaction", "killSessions"]
    lost = {"failCommands": commands, "closeConnection": True, "appName": APP}
    with connect(scene.members) as client:
        truth = store(client, DATABASE, 2, 1)
        job_id = truth.doomed[0].job_id
        with scene.members.fail_point([scene.members.await_primary()], "failCommand", **lost):
            assert delete(scene.server.address, job_id, 0.5) == "DEADLINE_EXCEEDED"
            # Longer than it takes to try again a few times.
            time.sleep(4.0)

        verdict = judge(client, DATABASE, truth)

    assert verdict.left_open == verdict.half == []
    # The server goes on with what it has begun, and may have come to its end by now.
    assert delete(scene.server.address, job_id) in {"OK", "NOT_FOUND"}


def test_without_transactions_a_delete_cut_off_half_way_can_be_repeated(tmp_path: Path) -> None:
    [run] = run_standalone(tmp_path / "standalone", runs=1, seed=1)

    assert run.complaints == []
    assert run.verdict.lost == run.verdict.half == run.verdict.changed == []

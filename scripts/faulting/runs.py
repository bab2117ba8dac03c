"""One run of a fault under load, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from faulting.callers import WRONG, Call, Load, LoadOptions, steady_load
from faulting.kinds import Kind, hold
from faulting.scene import DATABASE, Scene, Stage, await_settled, connect
from faulting.truth import Verdict, judge, store

DELETIONS = 1500
"""Jobs to delete in a run; more than its callers can."""

_STEADY_SECONDS = 2.0
_WARM_SECONDS = 1.5
_MOST_SECONDS = 60.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run. `recovery` is None when the server did not recover in a minute."""

    kind: str
    outcomes: Counter[str]
    verdict: Verdict
    recovery: float | None
    slowest: float
    complaints: list[str]

    @property
    def is_passed(self) -> bool:
        """Whether nothing was wrong, lost or half done, and the server recovered."""
        verdict = self.verdict
        bad = self.outcomes[WRONG] or verdict.lost or verdict.half or verdict.changed
        return not bad and self.recovery is not None


def run_kind(stage: Stage, kind: Kind, runs: int, seed: int) -> list[Run]:
    """So many runs of one kind, on one server that is never restarted in between."""
    with stage.scene(kind.setup) as scene:
        return [run_once(scene, kind, seed * 1000 + number) for number in range(runs)]


def run_once(scene: Scene, kind: Kind, seed: int, options: LoadOptions | None = None) -> Run:
    """One fault under load, and a look at every answer and all that is stored afterwards.

    Raises RuntimeError when the server does not even serve before the fault.
    """
    await_settled(scene.members)
    with connect(scene.members) as client:
        truth = store(client, DATABASE, seed, DELETIONS)
        with steady_load(scene.server.address, truth, options or LoadOptions(), seed) as load:
            if _await_good(load, _WARM_SECONDS) is None:
                raise RuntimeError(_not_serving(load))
            begins, ends = hold(kind, scene)
            reference = begins if kind.heals else ends
            recovered = _await_good(load, _STEADY_SECONDS)
            recovery = None if recovered is None else load.last_trouble(reference) - reference
        await_settled(scene.members)
        verdict = judge(client, DATABASE, truth)
    calls = load.calls
    return Run(
        kind.name,
        Counter(call.outcome for call in calls),
        verdict,
        recovery,
        max(call.ended - call.began for call in calls),
        [_complaint(call, begins) for call in calls if call.outcome == WRONG],
    )


def _not_serving(load: Load) -> str:
    complaints = [call.complaint[:500] for call in load.calls if call.complaint][:3]
    return "\n    ".join([f"the server does not serve: {load.outcomes()}", *complaints])


def _complaint(call: Call, begins: float) -> str:
    return f"{call.ended - begins:+.2f} s {call.complaint[:500]}"


def _await_good(load: Load, seconds: float) -> float | None:
    """The time when all had been well for so long; None when that is not so within a minute."""
    ends = time.monotonic() + _MOST_SECONDS
    since = time.monotonic()
    while time.monotonic() < ends:
        time.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        since = load.last_trouble(since)
        if now - since >= seconds and load.is_good_since(now - seconds):
            return now
    return None

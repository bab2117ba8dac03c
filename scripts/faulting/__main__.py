"""The command line of scripts/faults."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.callers import SHED
from harness.servers import unwind_on_sigterm

from faulting import standalone
from faulting.callers import DEADLINE, NO_RIGHT, RIGHT, UNAVAILABLE, WRONG
from faulting.kinds import KINDS
from faulting.runs import Run, run_kind
from faulting.scene import Stage

_HEAD = (
    f"{'kind':32} {'runs':>4} {'calls':>6} {'right':>6} {'unavail':>7} {'deadl':>6} {'shed':>5} "
    f"{'wrong':>5} {'deleted':>7} {'half':>4} {'lost':>4} {'recovery s':>14} {'slowest':>7}"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the faults; returns 0 when the server takes all of them as it should."""
    options = parsed(arguments)
    unwind_on_sigterm()
    results = []
    if not options.json:
        print(_HEAD)
    with tempfile.TemporaryDirectory() as directory:
        kept = options.directory or Path(directory)
        kept.mkdir(exist_ok=True)
        for runs in _all(kept, options):
            results.append(summary(runs))
            if not options.json:
                show(results[-1])
    if options.json:
        print(json.dumps(results, indent=2))
    passed = all(result["is_passed"] for result in results)
    if not options.json:
        print("the server passes" if passed else "FAILED")
    return 0 if passed else 1


def _all(directory: Path, options: argparse.Namespace) -> Iterator[list[Run]]:
    """The runs of each kind asked for."""
    with Stage(directory) as stage:
        for number, kind in enumerate(KINDS):
            if not options.kind or kind.name in options.kind:
                yield run_kind(stage, kind, options.runs, options.seed + number)
    if not options.kind or standalone.NAME in options.kind:
        yield standalone.run_standalone(directory / "standalone", options.runs, options.seed)


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """The figures of one kind. Times in seconds."""
    outcomes: Counter[str] = sum((run.outcomes for run in runs), Counter())
    recoveries = [run.recovery for run in runs if run.recovery is not None]
    verdicts = [run.verdict for run in runs]
    return {
        "kind": runs[0].kind,
        "runs": len(runs),
        "calls": outcomes.total(),
        "right": outcomes[RIGHT],
        "unavailable": outcomes[UNAVAILABLE] + outcomes[NO_RIGHT],
        "deadline_exceeded": outcomes[DEADLINE],
        "resource_exhausted": outcomes[SHED],
        "wrong": outcomes[WRONG],
        "deleted": sum(verdict.acknowledged for verdict in verdicts),
        "half_deleted": [state for verdict in verdicts for state in verdict.half],
        "lost": [state for verdict in verdicts for state in (*verdict.lost, *verdict.changed)],
        "left_open": [state for verdict in verdicts for state in verdict.left_open],
        "recovered": len(recoveries),
        "recovery_median": round(statistics.median(recoveries), 2) if recoveries else None,
        "recovery_max": round(max(recoveries), 2) if recoveries else None,
        "slowest": round(max(run.slowest for run in runs), 2),
        "complaints": [complaint for run in runs for complaint in run.complaints][:10],
        "is_passed": all(run.is_passed for run in runs),
    }


def show(result: dict[str, Any]) -> None:
    """Prints a line of the table, and what is wrong below it."""
    recovery = f"{result['recovery_median']} / {result['recovery_max']}"
    if result["recovered"] < result["runs"]:
        recovery = f"none in {result['runs'] - result['recovered']}"
    print(
        f"{result['kind']:32} {result['runs']:4} {result['calls']:6} {result['right']:6} "
        f"{result['unavailable']:7} {result['deadline_exceeded']:6} "
        f"{result['resource_exhausted']:5} {result['wrong']:5} {result['deleted']:7} "
        f"{len(result['half_deleted']):4} {len(result['lost']):4} {recovery:>14} "
        f"{result['slowest']:7.2f}",
        flush=True,
    )
    for trouble in ("complaints", "half_deleted", "lost", "left_open"):
        for line in result[trouble]:
            print(f"    {line}")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/faults",
        description="Breaks a real replica set under a server in use, and judges every answer.",
    )
    names = [*(kind.name for kind in KINDS), standalone.NAME]
    parser.add_argument("--runs", type=int, default=5, help="runs of each kind (default 5)")
    parser.add_argument(
        "--kind", action="append", choices=names, metavar="NAME", help=f"one of: {', '.join(names)}"
    )
    parser.add_argument("--seed", type=int, default=1, help="source of randomness (default 1)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--directory", type=Path, help="keep data and logs in this directory")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""The command line of scripts/attacks."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.databases import demo_database
from harness.servers import unwind_on_sigterm

from attacking.measuring import Figures, Scene
from attacking.rows import ROWS

_HEADINGS = (
    "attack",
    "mode",
    "unloaded p50 / p99, ms",
    "attacked p50 / p99 / longest, ms",
    "p99, times",
    "calls, failed",
    "RSS before / most, MiB",
    "cores: MongoDB, server",
    "what came of it",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Attacks; returns 0 unless honest calls failed."""
    options = parsed(arguments)
    unwind_on_sigterm()
    chosen = {name: row for name, row in ROWS.items() if any(w in name for w in options.only)}
    failed = 0
    print("| " + " | ".join(_HEADINGS) + " |\n|" + "---|" * len(_HEADINGS), flush=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        demo_database() as uri,
    ):
        scene = Scene(uri, Path(directory))
        for mode in ("jwt", "none"):
            for name, row in chosen.items():
                if mode in row.modes and mode in options.modes:
                    figures = scene.measured(row, mode, options.seconds)
                    failed += figures.failed
                    print(line(name, mode, figures), flush=True)
        if "Host" in options.only or "" in options.only:
            print(f"\nHost: evil.example in mode none: {json.dumps(scene.rebound())}")
    return 1 if failed else 0


def line(name: str, mode: str, figures: Figures) -> str:
    """A row of the table."""
    before, during = figures.unloaded, figures.attacked
    cells = [
        name,
        mode,
        f"{before.median * 1000:.1f} / {before.p99 * 1000:.1f}",
        f"{during.median * 1000:.1f} / {during.p99 * 1000:.1f} / {during.slowest * 1000:.0f}",
        f"{during.p99 / before.p99:.1f}" if before.p99 else "-",
        f"{during.calls}, {figures.failed}",
        f"{figures.memory_before:.0f} / {figures.memory_most:.0f}",
        f"{figures.mongod_cores:.2f}, {figures.server_cores:.2f}",
        ", ".join(f"{count} {what}" for what, count in sorted(figures.outcomes.items())),
    ]
    return "| " + " | ".join(cells) + " |"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/attacks",
        description="Attacks a server on demo data in the ways known, with an honest client of "
        "another tenant beside it, and prints what it notices. All attacks take some 15 minutes.",
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each (default 6)")
    parser.add_argument(
        "--only", nargs="*", default=[""], metavar="WORDS", help="attacks whose names have these"
    )
    parser.add_argument(
        "--modes", nargs="*", default=["jwt", "none"], choices=["jwt", "none"], help="auth_mode"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

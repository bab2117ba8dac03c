"""The command line of scripts/load."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.servers import unwind_on_sigterm

from loading import overload, restart, soak
from loading.site import Site, site


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures; returns 0 when the server is as it should be."""
    options = parsed(arguments)
    unwind_on_sigterm()
    with (
        tempfile.TemporaryDirectory() as directory,
        site(Path(directory)) as measured,
    ):
        result = _measured(measured, options, Path(directory))
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    return 1 if result["failed"] else 0


def _measured(measured: Site, options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """The figures, and what is not as it has to be."""
    if options.what == "overload":
        result = overload.measure(measured, options.seconds, options.unloaded_seconds)
        return {**result, "failed": overload.verdicts(result)}
    if options.what == "restart":
        result = restart.measure(measured, options.rounds, directory)
        return {**result, "failed": restart.verdicts(result)}
    result = soak.measure(measured, options.minutes)
    return {**result, "failed": soak.verdicts(result)}


def show(result: dict[str, Any]) -> None:
    """Prints the figures, one a line."""
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for inner, figure in value.items():
                print(f"  {inner}: {figure}")
        elif name == "samples":
            print("minute  memory MiB  threads  descriptors  connections")
            for sample in value:
                print(
                    f"{sample['minute']:6.1f}  {sample['memory']:10.1f}  {sample['threads']:7}  "
                    f"{sample['descriptors']:11}  {sample['connections']:11}"
                )
        elif name != "failed":
            print(f"{name}: {value}")
    for verdict in result["failed"]:
        print(f"FAILED: {verdict}")
    if not result["failed"]:
        print("the server passes")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/load",
        description="Measures a server on demo data under load, and judges the figures.",
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print the figures as JSON")
    what = parser.add_subparsers(dest="what", required=True)
    over = what.add_parser(
        "overload", parents=[shared], help="ten times its capacity (needs h2load)"
    )
    over.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    over.add_argument(
        "--unloaded-seconds",
        type=float,
        default=20.0,
        help="how long to measure without overload (default 20)",
    )
    long = what.add_parser("soak", parents=[shared], help="whether it takes more and more")
    long.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    again = what.add_parser(
        "restart", parents=[shared], help="whether calls fail when replicas are replaced"
    )
    again.add_argument("--rounds", type=int, default=3, help="how often (default 3)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""Next steps for a newcomer, printed by a server that serves demo data."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

PROGRAM = "inventory-job"
_GRPC_DEFAULT = "127.0.0.1:50051"
# Wildcard addresses, and the loopback address that reaches each from the same machine.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  not bound, but replaced


def next_steps(grpc: str, http: str | None, domain: str, *, tls: bool) -> str:
    """The addresses and commands to try, in a form that works in another terminal. `grpc` and
    `http` are the server's addresses, as HOST:PORT; `domain` has the demo data. With `tls`,
    clients need further options."""
    steps = []
    if http is not None:
        root = f"{'https' if tls else 'http'}://{_reachable(http)}"
        steps += [("the page", f"{root}/#domain={domain}"), ("the API", f"{root}/docs")]
    if not tls:
        endpoint = _reachable(grpc)
        there = "" if endpoint == _GRPC_DEFAULT else f" --endpoint {endpoint}"
        command = f"{program()} list{there} --domain {domain} -f status=FAILURE"
        steps.append(("what failed", command))
    steps.append(("to stop", "Ctrl-C"))
    width = max(len(name) for name, _ in steps)
    lines = [f"  {name:<{width}}   {step}" for name, step in steps]
    return "\n".join(
        ["", "Serving demo data. From here (commands in another terminal):", *lines, ""]
    )


def program() -> str:
    """The command that runs this program from any directory: its name if that is on PATH."""
    called = Path(sys.argv[0]).absolute()
    if called.name != PROGRAM:
        return f"{shlex.quote(sys.executable)} -m inventory_job"
    found = shutil.which(PROGRAM)
    if found is not None and Path(found).resolve() == called.resolve():
        return PROGRAM
    return shlex.quote(str(called))


def _reachable(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"{_EVERYWHERE.get(host, host)}:{port}"

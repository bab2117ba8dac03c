"""Sends arbitrary requests at a running server and judges how it takes them.

Random messages of all five methods, good queries with random changes, and bytes that are hardly
messages at all. A server passes when it answers nothing with INTERNAL, UNKNOWN or UNAVAILABLE,
still serves at the end, keeps its memory bounded, and neither shows nor changes the jobs of a
tenant that no request names.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from fuzz_requests import Generator
from harness.callers import METADATA, OWN_CONNECTION, SERVICE, outcome_of
from harness.databases import DATABASE, demo_database
from harness.processes import memory_samples
from harness.servers import ServerProcess
from harness.threads import in_threads
from pymongo import MongoClient

from inventory_job.cli.client.calls import REQUESTS
from inventory_job.cli.seed import DEMO_JOBS, midnight
from inventory_job.embedded.demo_data import Demo

WITNESS = "domain-0f0e0d0c0b0a"  # named by no request
FAULTS = ("INTERNAL", "UNKNOWN", "UNAVAILABLE")
MOST_MIB = 1024
GROWTH = 1.25


@dataclass
class Report:
    """What came of it."""

    statuses: list[tuple[str, str]] = field(default_factory=list)
    """The method and the status of each call."""
    faults: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    """Resident memory of the server in MiB, every half second."""

    def verdicts(self) -> list[str]:
        """Everything that is wrong; nothing when the server passes."""
        wrong = [*self.faults[:10], *self.leaks[:10]]
        if self.memory and max(self.memory) > MOST_MIB:
            wrong.append(f"memory reached {max(self.memory)} MiB, more than {MOST_MIB}")
        quarter = len(self.memory) // 4
        if quarter > 20:
            early = statistics.median(self.memory[quarter : 2 * quarter])
            late = statistics.median(self.memory[-quarter:])
            if late > GROWTH * early:
                wrong.append(f"memory grew from {early} to {late} MiB (medians of quarters)")
        return wrong

    def show(self) -> None:
        """Prints the figures."""
        print(f"calls: {len(self.statuses)}")
        for (method, status), calls in sorted(Counter(self.statuses).items()):
            print(f"  {method:8} {status:20} {calls}")
        if self.memory:
            start, peak, end = self.memory[0], max(self.memory), self.memory[-1]
            print(f"server memory in MiB: start {start}, peak {peak}, end {end}")


def fuzz(address: str, seed: int, report: Report, stop: threading.Event) -> None:
    """Sends requests one after the other until the event is set."""
    generator = Generator(seed)
    with grpc.insecure_channel(address, OWN_CONNECTION) as channel:
        calls: dict[str, Any] = {
            method: channel.unary_unary(f"/{SERVICE}/{method}") for method in REQUESTS
        }
        while not stop.is_set():
            method, data = generator.request()
            metadata, timeout = generator.metadata(), generator.timeout()
            status, answer = outcome_of(calls[method], data, metadata=metadata, timeout=timeout)
            report.statuses.append((method, status))
            if status in FAULTS:
                sent = base64.b64encode(data[:4096]).decode()
                said = f"{method} {status}: {answer}"
                report.faults.append(f"{said}\n  request: {sent}\n  metadata: {metadata}")
            shown = answer if isinstance(answer, bytes) else str(answer).encode()
            if WITNESS.encode() in shown:
                report.leaks.append(f"{method} showed the witness: {base64.b64encode(data)!r}")


def witnesses() -> list[dict[str, Any]]:
    """Jobs of the tenant that no request names."""
    return [
        {
            "job_id": f"job-{number:012x}",
            "status": "SUCCESS",
            "domain_id": WITNESS,
            "collector_id": f"collector-of-{WITNESS}",
            "plugin_id": f"plugin-of-{WITNESS}",
            "created_at": datetime(2026, 1, 1),
        }
        for number in range(100)
    ]


def run(address: str, options: argparse.Namespace, report: Report) -> None:
    """All callers at once, for as long as the options say; then asks whether it still serves."""
    with in_threads(
        partial(fuzz, address, options.seed * 1000 + number, report)
        for number in range(options.callers)
    ):
        time.sleep(options.seconds)
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(f"/{SERVICE}/list")
        call(b"", metadata=METADATA, timeout=20)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--endpoint", help="a running server; default: one of its own")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--callers", type=int, default=4, help="callers at once (default 4)")
    parser.add_argument("--seed", type=int, default=1, help="source of randomness (default 1)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Runs the fuzzer; returns 0 when the server passes."""
    options = parsed(arguments)
    report = Report()
    wrong: list[str] = []
    if options.endpoint:
        run(options.endpoint, options, report)
    else:
        wrong = _run_own(options, report)
    report.show()
    wrong += report.verdicts()
    for verdict in wrong:
        print(f"FAILED: {verdict}")
    print("the server passes" if not wrong else f"{len(wrong)} faults")
    return 1 if wrong else 0


def _run_own(options: argparse.Namespace, report: Report) -> list[str]:
    with (
        tempfile.TemporaryDirectory() as directory,
        demo_database(Demo(DEMO_JOBS, 0, midnight())) as uri,
        MongoClient[dict[str, Any]](uri) as client,
        ServerProcess(Path(directory) / "server.log", {"MONGO_URI": uri}) as server,
    ):
        jobs = client[DATABASE]["job"]
        jobs.insert_many(witnesses())
        with memory_samples(server.process, 0.5) as memory:
            run(server.address, options, report)
        report.memory += map(int, memory)
        left = list(jobs.find({"domain_id": WITNESS}, {"_id": 0}, sort=[("job_id", 1)]))
    return [] if left == witnesses() else ["the witness jobs are not what they were"]


if __name__ == "__main__":
    sys.exit(main())

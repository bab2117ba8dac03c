"""Sends arbitrary requests at a running server and judges how it takes them.

Random messages of all five methods, good queries with random changes, and bytes that are hardly
messages at all. A server passes when it answers nothing with INTERNAL, UNKNOWN or UNAVAILABLE,
still serves at the end, keeps its memory bounded, and neither shows nor changes the jobs of a
tenant that no request names.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
from fuzz_requests import METHODS, TENANT, Generator

from inventory_job.embedded.mongod import running_uri
from inventory_job.embedded.seeding import SeedStore, open_store

SERVICE = "spaceone.api.inventory.v1.Job"
WITNESS = "domain-0f0e0d0c0b0a"  # named by no request
FAULTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE)
MOST_MIB = 1024
GROWTH = 1.25


@dataclass
class Report:
    """What came of it."""

    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    """Resident memory of the server in MiB, every half second."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, method: str, code: grpc.StatusCode) -> None:
        with self.lock:
            self.statuses[method, code.name] += 1

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
        print(f"calls: {sum(self.statuses.values())}")
        for (method, status), calls in sorted(self.statuses.items()):
            print(f"  {method:8} {status:20} {calls}")
        if self.memory:
            start, peak, end = self.memory[0], max(self.memory), self.memory[-1]
            print(f"server memory in MiB: start {start}, peak {peak}, end {end}")


def fuzz(address: str, seconds: float, seed: int, report: Report) -> None:
    """Sends requests one after the other for `seconds`."""
    generator = Generator(seed)
    ends = time.monotonic() + seconds
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        calls: dict[str, Any] = {
            method: channel.unary_unary(f"/{SERVICE}/{method}") for method in METHODS
        }
        while time.monotonic() < ends:
            method, data = generator.request()
            metadata, timeout = generator.metadata(), generator.timeout()
            try:
                answer: bytes = calls[method](data, metadata=metadata, timeout=timeout)
            except grpc.RpcError as error:
                failed: Any = error
                report.count(method, failed.code())
                if failed.code() in FAULTS:
                    sent = base64.b64encode(data[:4096]).decode()
                    said = f"{method} {failed.code().name}: {failed.details()}"
                    report.faults.append(f"{said}\n  request: {sent}\n  metadata: {metadata}")
                shown = str(failed.details()).encode()
            else:
                report.count(method, grpc.StatusCode.OK)
                shown = answer
            if WITNESS.encode() in shown:
                report.leaks.append(f"{method} showed the witness: {base64.b64encode(data)!r}")


@contextmanager
def own_server(directory: Path) -> Iterator[tuple[str, subprocess.Popen[str], SeedStore]]:
    """A server of our own with demo data: its address, its process, its database."""
    command = [sys.executable, "-m", "inventory_job", "serve", "--demo", "--port", "0"]
    command += ["--data-dir", str(directory), "--log-format", "json", "--log-level", "info"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = directory.parent / "server.log"
    try:
        address = _address_in(process, log)
        uri = running_uri(directory)
        if uri is None:
            raise RuntimeError("the server's database is not running")
        with open_store(uri, "inventory", 5.0) as store:
            store.jobs.insert_many(witnesses())
            yield address, process, store
    finally:
        process.terminate()
        process.wait(60)


def _address_in(process: subprocess.Popen[str], log: Path) -> str:
    stream = process.stderr
    if stream is None:
        raise RuntimeError("the server has no standard error")
    for line in stream:
        entry = json.loads(line)
        if entry["event"] == "serving":
            # The rest is kept for whoever wants to know; an unread pipe would stop the server.
            threading.Thread(target=_copy, args=(stream, log), daemon=True).start()
            return str(entry["address"])
    raise RuntimeError("the server ended before it served")


def _copy(stream: Any, log: Path) -> None:
    with log.open("w") as copy:
        for line in stream:
            if '"level":"info"' not in line:
                copy.write(line)
                copy.flush()


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


def watch_memory(pid: int, done: threading.Event, report: Report) -> None:
    """Notes the resident memory of the process twice a second."""
    status = Path(f"/proc/{pid}/status")
    while not done.wait(0.5):
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                report.memory.append(int(line.split()[1]) // 1024)


def run(address: str, options: argparse.Namespace, report: Report) -> None:
    """All callers at once, for as long as the options say; then asks whether it still serves."""
    callers = [
        threading.Thread(
            target=fuzz, args=(address, options.seconds, options.seed * 1000 + number, report)
        )
        for number in range(options.callers)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(f"/{SERVICE}/list")
        call(b"", metadata=(("x_domain_id", TENANT),), timeout=20)


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
        with tempfile.TemporaryDirectory() as directory:
            wrong = _run_own(Path(directory) / "data", options, report)
    report.show()
    wrong += report.verdicts()
    for verdict in wrong:
        print(f"FAILED: {verdict}")
    print("the server passes" if not wrong else f"{len(wrong)} faults")
    return 1 if wrong else 0


def _run_own(directory: Path, options: argparse.Namespace, report: Report) -> list[str]:
    done = threading.Event()
    with own_server(directory) as (address, process, database):
        watcher = threading.Thread(target=watch_memory, args=(process.pid, done, report))
        watcher.start()
        try:
            run(address, options, report)
        finally:
            done.set()
            watcher.join()
        left = list(database.jobs.find({"domain_id": WITNESS}, {"_id": 0}, sort=[("job_id", 1)]))
        return [] if left == witnesses() else ["the witness jobs are not what they were"]


if __name__ == "__main__":
    sys.exit(main())

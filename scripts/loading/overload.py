"""Ten times what the server can do, for a while: how those fare whom it serves, and the others."""

from __future__ import annotations

import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from tempfile import NamedTemporaryFile
from typing import Any

from loading.callers import (
    METADATA,
    OK,
    REFUSALS,
    SERVICE,
    Answer,
    Callers,
    Habits,
    Request,
    percentile,
    seconds_of,
    statuses,
    usage_of,
)
from loading.site import Site

CALLERS = 4
TIMES = 10
MOST_SLOWDOWN = 3.0
MOST_GROWTH = 1.2
MOST_SHED_SECONDS = 0.05

_FLOOD_CONNECTIONS = 36
_FLOOD_STREAMS = 20
_SHED_PAUSE = 0.01
_FLOOD_START_SECONDS = 1.0
_FLOOD_LINES = ("finished", "requests:")
_LOOK_SECONDS = 0.25
_ANSWERED = '"status": "OK"'


@dataclass(frozen=True, slots=True)
class Phase:
    """What callers met. `served_per_second` are the calls that the server says it answered with
    OK, the flood's included. `median`, `p99` and `slowest` are the seconds that the callers'
    answers took, `shed_…` those of refusals. Memory in MiB; `busy` is the server's processor time
    a second."""

    served_per_second: float
    statuses: dict[str, int]
    median: float
    p99: float
    slowest: float
    shed_median: float
    shed_p99: float
    shed_slowest: float
    memory_before: float
    memory_most: float
    busy: float


def measure(site: Site, seconds: float, unloaded_seconds: float) -> dict[str, Any]:
    """The two phases and the flood's rate; `verdicts` judges them."""
    with Callers(site.served.address, site.requests, CALLERS, Habits()):
        time.sleep(5)  # connections, caches and memory as in use
    unloaded = phase(site, unloaded_seconds)
    rate = TIMES * unloaded.served_per_second
    with flood(site.served.address, flooding_request(site), rate, seconds + 2) as figures:
        overloaded = phase(site, seconds, shed_pause=_SHED_PAUSE)
    return {
        "offered_per_second": round(rate),
        "unloaded": asdict(unloaded),
        "overloaded": asdict(overloaded),
        "flood": figures,
    }


def verdicts(result: dict[str, Any]) -> list[str]:
    """What is not as it has to be."""
    unloaded, overloaded = result["unloaded"], result["overloaded"]
    wrong = []
    slowdown = overloaded["p99"] / unloaded["p99"]
    if slowdown > MOST_SLOWDOWN:
        wrong.append(f"accepted calls' p99 is {slowdown:.1f} times the unloaded one")
    growth = overloaded["memory_most"] / unloaded["memory_most"]
    if growth > MOST_GROWTH:
        wrong.append(f"memory grew {growth:.2f} times")
    if overloaded["shed_p99"] > MOST_SHED_SECONDS:
        wrong.append(f"refusals took {overloaded['shed_p99'] * 1000:.0f} ms (p99)")
    unexpected = {*overloaded["statuses"], *unloaded["statuses"]} - {OK, *REFUSALS}
    if unexpected:
        wrong.append(f"calls ended with {sorted(unexpected)}")
    return wrong


def phase(site: Site, seconds: float, shed_pause: float = 0.0) -> Phase:
    """Calls by `CALLERS` callers, one after the other, for so long."""
    done = threading.Event()
    memory: list[float] = []
    watcher = threading.Thread(target=_watch_memory, args=(site.served.pid, done, memory))
    before, served = usage_of(site.served.pid), site.served.count(_ANSWERED)
    began = time.monotonic()
    watcher.start()
    with Callers(
        site.served.address, site.requests, CALLERS, Habits(shed_pause=shed_pause)
    ) as callers:
        time.sleep(seconds)
    took = time.monotonic() - began
    done.set()
    watcher.join()
    busy = (usage_of(site.served.pid).busy - before.busy) / took
    served = site.served.count(_ANSWERED) - served
    return _phase(callers.answers, served / took, memory, busy)


def _phase(answers: list[Answer], rate: float, memory: list[float], busy: float) -> Phase:
    good, shed = seconds_of(answers, OK), seconds_of(answers, *REFUSALS)
    return Phase(
        served_per_second=round(rate, 1),
        statuses=statuses(answers),
        median=percentile(good, 0.5),
        p99=percentile(good, 0.99),
        slowest=percentile(good, 1),
        shed_median=percentile(shed, 0.5),
        shed_p99=percentile(shed, 0.99),
        shed_slowest=percentile(shed, 1),
        memory_before=round(memory[0], 1),
        memory_most=round(max(memory), 1),
        busy=round(busy, 2),
    )


def _watch_memory(pid: int, done: threading.Event, memory: list[float]) -> None:
    while True:
        memory.append(usage_of(pid).memory)
        if done.wait(_LOOK_SECONDS):
            return


def flooding_request(site: Site) -> Request:
    """The request that the flood consists of: the one that comes up most."""
    return max(site.requests, key=site.requests.count)


@contextmanager
def flood(address: str, request: Request, rate: float, seconds: float) -> Iterator[dict[str, Any]]:
    """Calls at `rate` a second from another program, h2load, answered or not; its figures, once
    it has ended. Raises RuntimeError when there is no such program."""
    program = shutil.which("h2load")
    if program is None:
        raise RuntimeError("h2load is needed (Debian: nghttp2-client)")
    framed = struct.pack(">BI", 0, len(request.message)) + request.message
    command = [program, f"--clients={_FLOOD_CONNECTIONS}", f"--duration={seconds:.0f}"]
    command += [f"--max-concurrent-streams={_FLOOD_STREAMS}"]
    command += [f"--rps={rate / _FLOOD_CONNECTIONS:.1f}", "--header=te: trailers"]
    command += ["--header=content-type: application/grpc"]
    command += [f"--header={key}: {value}" for key, value in METADATA]
    figures: dict[str, Any] = {}
    with NamedTemporaryFile() as body:
        body.write(framed)
        body.flush()
        command += [f"--data={body.name}", f"http://{address}/{SERVICE}/{request.method}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(_FLOOD_START_SECONDS)
            yield figures
            out = process.communicate(timeout=seconds + 60)[0]
        finally:
            process.kill()
            process.wait()
    figures["h2load"] = [line for line in out.splitlines() if line.startswith(_FLOOD_LINES)]

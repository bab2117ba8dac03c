"""Ten times what the server can do, for a while: how those fare whom it serves, and the others."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
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
_RATE = re.compile(r"([0-9.]+) req/s")
_LOOK_SECONDS = 0.25
_ANSWERED = '"status":"OK"'


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
    with flood(site, rate, seconds + 2) as figures:
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


@contextmanager
def flood(site: Site, rate: float, seconds: float) -> Iterator[dict[str, Any]]:
    """Calls at `rate` a second from other programs (h2load), each kind of request as often as it
    comes up, answered or not; their figures, once they have ended. Raises RuntimeError when there
    is no such program."""
    program = shutil.which("h2load")
    if program is None:
        raise RuntimeError("h2load is needed (Debian: nghttp2-client)")
    kinds = Counter(site.requests)
    figures: dict[str, Any] = {}
    with ExitStack() as resources:
        running = []
        for request, weight in kinds.items():
            share = weight / kinds.total()
            command = _h2load(program, site.served.address, request, resources)
            command += [f"--duration={seconds:.0f}", *_at_rate(rate * share, share)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            resources.callback(_end, process)
            running.append(process)
        time.sleep(_FLOOD_START_SECONDS)
        yield figures
        outputs = [process.communicate(timeout=seconds + 60)[0] for process in running]
    figures["answered_per_second"] = round(
        sum(float(found) for out in outputs for found in _RATE.findall(out)), 1
    )


def _h2load(program: str, address: str, request: Request, resources: ExitStack) -> list[str]:
    body = Path(resources.enter_context(TemporaryDirectory())) / "body"
    body.write_bytes(struct.pack(">BI", 0, len(request.message)) + request.message)
    command = [program, f"--data={body}", "--header=te: trailers"]
    command += ["--header=content-type: application/grpc"]
    command += [f"--header={key}: {value}" for key, value in METADATA]
    return [*command, f"http://{address}/{SERVICE}/{request.method}"]


def _at_rate(rate: float, share: float) -> list[str]:
    connections = max(1, round(_FLOOD_CONNECTIONS * share))
    return [
        f"--clients={connections}",
        f"--max-concurrent-streams={_FLOOD_STREAMS}",
        f"--rps={rate / connections:.2f}",
    ]


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()

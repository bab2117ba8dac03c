"""The server, bare handlers in an event loop (bare) and in threads (floor), and the plain ODM way
(odm), side by side.

Each is a process of its own on one MongoDB with the same indexes; with --rivals-indexes reference
the others have those that the services in use today create. In every round the three take
turns, so that whatever else the machine does meets all alike; figures are medians of the rounds,
and ratios medians of the rounds' ratios. Compare figures of one run only. The load comes from
h2load (Debian's nghttp2-client), which speaks gRPC and leaves the processors to the servers.

rps: calls a second. p50, p99: milliseconds. server, mongod: processor milliseconds per call.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bench_load import Figures, Load
from bench_servers import Contender, Start, contenders, start_time
from bench_workloads import Workload, workloads
from google.protobuf import json_format
from harness.databases import create_indexes, in_database, mongodb
from harness.processes import mongod_of
from harness.servers import unwind_on_sigterm
from pymongo import MongoClient
from pymongo.collection import Collection

from inventory_job.embedded.demo_data import LARGEST_TENANT, Demo
from inventory_job.embedded.seeding import load
from inventory_job.model.documents import INDEXES, REFERENCE_INDEXES, Index

_UNTIL = datetime(2026, 3, 1)
_RIVALS_INDEXES = {"all": INDEXES, "reference": REFERENCE_INDEXES}
_STARTS = 5
_OTHER_TENANT = "domain-demo00000002"
_DEEP = 60_001
_DEEP_OF_A_MILLION = 100_001


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of one contender at one workload."""

    workload: str
    callers: int
    contender: str
    figures: Figures
    ratios: dict[str, float]
    """rps, divided by that of others."""


def main() -> None:
    """Measures and prints."""
    given = _arguments()
    if not given.start_time and shutil.which("h2load") is None:
        sys.exit("bench needs h2load: apt-get install nghttp2-client")
    unwind_on_sigterm()
    with mongodb(given.mongo_uri) as uri, ExitStack() as resources:
        results: list[dict[str, Any]] = []
        for jobs in given.growth or [given.jobs]:
            database = _seeded(uri, jobs, INDEXES, resources)
            if given.start_time:
                _print_starts(uri, database.name)
                continue
            of_tenant = database.jobs.count_documents({"domain_id": LARGEST_TENANT})
            print(f"\n{jobs} jobs, {of_tenant} of them in the tenant")
            results += [
                {"jobs": jobs, **asdict(result), "figures": result.figures._asdict()}
                for result in _measure(given, uri, database, resources)
            ]
        if given.json:
            given.json.write_text(json.dumps(results, indent=1))


def _print_starts(uri: str, database: str) -> None:
    """Starts the server with and without HTTP, in turns; prints medians."""
    starts: dict[bool, list[Start]] = {True: [], False: []}
    for _ in range(_STARTS):
        for http, found in starts.items():
            found.append(start_time(uri, database, http=http))
    for http, found in starts.items():
        serving, answered, processor, rss = map(statistics.median, zip(*found, strict=True))
        print(
            f"{'with' if http else 'without'} HTTP: serving after {serving:.2f} s, first answer "
            f"after {answered:.2f} s, {processor:.2f} s of processor time until it serves, "
            f"{rss:.1f} MiB when idle"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--growth", type=_numbers, help="measure at each of these numbers of jobs")
    parser.add_argument("--callers", type=_numbers, default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one turn of one contender")
    parser.add_argument("--workloads", help="names, separated by commas; default: all")
    parser.add_argument(
        "--beside", help="a workload that 8 callers of another tenant send all the time"
    )
    parser.add_argument("--contenders", default="ours,bare,floor")
    parser.add_argument(
        "--rivals-indexes",
        choices=_RIVALS_INDEXES,
        default="all",
        help="which indexes the others' copy of the jobs has",
    )
    parser.add_argument("--threads", type=int, default=4, help="of the servers with threads")
    parser.add_argument("--set", action="append", default=[], help="NAME=VALUE, a setting of ours")
    parser.add_argument(
        "--start-time",
        action="store_true",
        help="only how long ours takes to start, and its memory when idle",
    )
    parser.add_argument("--mongo-uri", help="default: a MongoDB of its own")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


@dataclass(frozen=True, slots=True)
class _Seeded:
    """A database with jobs."""

    name: str
    jobs: Collection[dict[str, Any]]


def _seeded(uri: str, jobs: int, indexes: Sequence[Index], resources: ExitStack) -> _Seeded:
    name = f"inventory-job-bench-{jobs}-{len(indexes)}"
    client = resources.enter_context(MongoClient[dict[str, Any]](uri))
    stored = client[name]["job"]
    if stored.estimated_document_count() < jobs:
        stored.drop()
        demo = Demo(jobs, 0, _UNTIL).documents()
        in_database(uri, name, lambda database: load(database, ((job, []) for job, _ in demo)))
        create_indexes(uri, name, indexes)
    return _Seeded(name, stored)


def _measure(
    given: argparse.Namespace, uri: str, database: _Seeded, resources: ExitStack
) -> Iterator[Result]:
    job = database.jobs.find_one({"domain_id": LARGEST_TENANT}, sort=[("job_id", 1)]) or {}
    workspace = _largest_workspace(database)
    jobs = database.jobs.estimated_document_count()
    deep = _DEEP if jobs < 1_000_000 else _DEEP_OF_A_MILLION
    known = {workload.name: workload for workload in workloads(job["job_id"], deep)}
    chosen = [known[name] for name in (given.workloads.split(",") if given.workloads else known)]
    beside = replace(known[given.beside], domain_id=_OTHER_TENANT) if given.beside else None
    rivals = _seeded(uri, jobs, _RIVALS_INDEXES[given.rivals_indexes], resources)
    names = (database.name, rivals.name)
    with contenders(given, uri, *names) as running:
        load_ = Load(mongod_of(uri), workspace, beside)
        servers = [one for one in running if one.name in given.contenders.split(",")]
        for workload in chosen:
            _same_answers(load_, servers, workload)
        print(_HEADER)
        for callers in given.callers:
            for workload in chosen:
                for result in _rounds(given, load_, servers, workload, callers):
                    print(_line(result), flush=True)
                    yield result


def _largest_workspace(database: _Seeded) -> str:
    stages: list[dict[str, Any]] = [
        {"$match": {"domain_id": LARGEST_TENANT, "workspace_id": {"$nin": ["*", None]}}},
        {"$sortByCount": "$workspace_id"},
        {"$limit": 1},
    ]
    [largest] = database.jobs.aggregate(stages)
    return str(largest["_id"])


def _same_answers(load_: Load, servers: Sequence[Contender], workload: Workload) -> None:
    answers = [
        _sorted(json_format.MessageToDict(load_.once(server, workload))) for server in servers
    ]
    if workload.method == "list" and not workload.request["query"].get("count_only"):
        for answer in answers:
            # The bare handlers do not count.
            answer.pop("totalCount", None)
    for server, answer in zip(servers, answers, strict=True):
        if answer != answers[0]:
            sys.exit(f"{server.name} answers {workload.name} differently:\n{answer}\n{answers[0]}")


def _sorted(answer: dict[str, Any]) -> dict[str, Any]:
    """Rows of groups come in any order."""
    answer["results"] = sorted(json.dumps(row, sort_keys=True) for row in answer.get("results", ()))
    return answer


def _rounds(
    given: argparse.Namespace,
    load_: Load,
    servers: Sequence[Contender],
    workload: Workload,
    callers: int,
) -> Iterator[Result]:
    calls = {one.name: load_.calls_in(one, workload, callers, given.seconds) for one in servers}
    rounds: list[dict[str, Figures]] = []
    for number in range(given.rounds):
        turn = [*servers[number % len(servers) :], *servers[: number % len(servers)]]
        rounds.append(
            {one.name: load_.run(one, workload, callers, calls[one.name]) for one in turn}
        )
    for one in servers:
        figures = [each[one.name] for each in rounds]
        yield Result(
            workload.name,
            callers,
            one.name,
            Figures(*map(statistics.median, zip(*figures, strict=True))),
            {
                other.name: statistics.median(
                    each[one.name].rps / each[other.name].rps for each in rounds
                )
                for other in servers
                if other is not one
            },
        )


_HEADER = (
    f"{'workload':<20}{'callers':>8}  {'':<6}{'rps':>8}{'p50':>8}{'p99':>8}"
    f"{'server':>8}{'mongod':>8}{'MiB':>6}  ratio of rps"
)


def _line(result: Result) -> str:
    ratios = "  ".join(f"{value:.2f} x {name}" for name, value in result.ratios.items())
    rps, p50, p99, server_ms, mongod_ms, rss_mib = result.figures
    return (
        f"{result.workload:<20}{result.callers:>8}  {result.contender:<6}{rps:>8.0f}"
        f"{p50:>8.2f}{p99:>8.2f}{server_ms:>8.2f}{mongod_ms:>8.2f}{rss_mib:>6.0f}"
        f"  {ratios if result.contender == 'ours' else ''}"
    )


if __name__ == "__main__":
    main()

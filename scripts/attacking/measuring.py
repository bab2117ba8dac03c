"""What an honest client notices of an attack, and what the attack costs."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.answers import Summary, summary
from harness.callers import CallerOptions, calling, request
from harness.databases import DATABASE, job_ids_of
from harness.processes import memory_samples, mongod_of
from harness.servers import ServerProcess
from pymongo import MongoClient

from attacking.attacks import Attack, Signal, Target
from attacking.rows import LIST_PATH, ROWS, Row
from inventory_job.embedded.data_directory import wait_until
from inventory_job.embedded.demo_data import LARGEST_TENANT
from tests.support.tokens import Issuer, key_file_text

HONEST_TENANT = "domain-demo00000002"
_ALL_ADDRESSES = "0.0.0.0"  # noqa: S104  what is to be attacked
_CALLERS = 2
_OPTIONS = CallerOptions(pause=0.01, shed_pause=0.01, waits=True)
_LOOK_SECONDS = 0.1
_BEGIN_SECONDS = 1.0
_END_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """An attack, measured. Memory is the server's, in MiB; cores are seconds of processor time a
    second; `outcomes` what the attacker got."""

    unloaded: Summary
    attacked: Summary
    memory_before: float
    memory_most: float
    mongod_cores: float
    server_cores: float
    outcomes: dict[str, int]

    @property
    def failed(self) -> int:
        """Honest calls that were not answered."""
        return self.attacked.failed


class Scene:
    """Servers on one database of demo data, one for each attack; logs and keys go to `directory`.
    The attacker is the largest tenant, the honest client another one."""

    def __init__(self, uri: str, directory: Path) -> None:
        self._uri = uri
        self._directory = directory
        self._issuers = {domain: Issuer(domain) for domain in (LARGEST_TENANT, HONEST_TENANT)}
        self._key_file = directory / "keys.json"
        self._key_file.write_text(key_file_text(*self._issuers.values()))
        self._mongod = mongod_of(uri)
        gets = [request("get", {"job_id": job_id}) for job_id in job_ids_of(uri, HONEST_TENANT, 10)]
        page = request("list", {"query": {"page": {"limit": 20}}})
        self._requests = [*gets, *[page] * len(gets)]

    def measured(self, row: Row, mode: str, seconds: float) -> Figures:
        """The attack on a server of its own, for so long."""
        with self._server(mode, row.descriptors) as server:
            self._calls(server, mode, 1.0)  # connections and caches as in use
            unloaded = self._calls(server, mode, seconds)
            target = Target(
                server.address, server.http_address, self._metadata(mode, LARGEST_TENANT)
            )
            process, mongod = server.process, self._mongod
            memory_before, begun = process.memory, time.monotonic()
            busy, mongod_busy = process.processor_seconds, mongod.processor_seconds
            with (
                memory_samples(process, _LOOK_SECONDS) as memory,
                _attacking(row.attack, target) as outcomes,
            ):
                attacked = self._calls(server, mode, seconds)
                took = time.monotonic() - begun
                busy = process.processor_seconds - busy
                mongod_busy = mongod.processor_seconds - mongod_busy
        self._await_quiet()
        return Figures(
            unloaded,
            attacked,
            memory_before,
            max(memory),
            mongod_busy / took,
            busy / took,
            outcomes,
        )

    def rebound(self) -> dict[str, int]:
        """The statuses that calls for other names get from a server of mode none on all addresses,
        as from a page whose name was bound to the server's address."""
        remote = {"HOST": _ALL_ADDRESSES, "ALLOW_REMOTE_WITHOUT_AUTH": "true"}
        with self._server("none", None, **remote) as server:
            return {
                host: _posted(server.http_address.replace(_ALL_ADDRESSES, "127.0.0.1"), host)
                for host in ("evil.example", "127.0.0.1")
            }

    def _server(self, mode: str, descriptors: int | None, **more: object) -> ServerProcess:
        settings: dict[str, object] = {"HTTP": "true", "HTTP_PORT": 0, "MONGO_URI": self._uri}
        if mode == "jwt":
            settings |= {"AUTH_MODE": "jwt", "AUTH_KEY_FILE": self._key_file}
        log = self._directory / f"attacked-{time.monotonic_ns()}.log"
        return ServerProcess(log, {**settings, **more}, descriptors)

    def _metadata(self, mode: str, domain: str) -> tuple[tuple[str, str], ...]:
        if mode == "none":
            return (("x_domain_id", domain),)
        return (("token", self._issuers[domain].token("DOMAIN_ADMIN")),)

    def _calls(self, server: ServerProcess, mode: str, seconds: float) -> Summary:
        metadata = self._metadata(mode, HONEST_TENANT)
        with calling(server.address, self._requests, _CALLERS, _OPTIONS, metadata) as answers:
            time.sleep(seconds)
        return summary(answers)

    def _await_quiet(self) -> None:
        """Waits until the database has ended what the attack began."""
        jobs = f"{DATABASE}.job"
        with MongoClient[dict[str, Any]](self._uri) as client:
            wait_until(
                lambda: not client.admin.command("currentOp", ns=jobs, active=True)["inprog"],
                _END_SECONDS,
            )


@contextmanager
def _attacking(attack: Attack, target: Target) -> Iterator[dict[str, int]]:
    """The attack in a process of its own, so that the honest client has its own to itself; what
    came of it, once it has ended."""
    name = next(name for name, row in ROWS.items() if row.attack is attack)
    context = multiprocessing.get_context("spawn")
    begins, stop, results = context.Event(), context.Event(), context.Queue()
    process = context.Process(
        target=_attack, args=(name, target, begins, stop, results), daemon=True
    )
    outcomes: dict[str, int] = {}
    process.start()
    try:
        if not begins.wait(_END_SECONDS):
            raise RuntimeError(f"the attack does not begin: {name}")
        time.sleep(_BEGIN_SECONDS)
        yield outcomes
        stop.set()
        outcomes |= results.get(timeout=_END_SECONDS)
    finally:
        # Connections that it has left open would keep it from ending by itself.
        process.kill()
        process.join()


def _attack(name: str, target: Target, begins: Any, stop: Signal, results: Any) -> None:
    begins.set()
    results.put(ROWS[name].attack(target, stop))


def _posted(address: str, host: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=10)
    headers = {"host": host, "content-type": "application/json", "x-domain-id": LARGEST_TENANT}
    connection.request("POST", LIST_PATH, json.dumps({}), headers)
    status = connection.getresponse().status
    connection.close()
    return status

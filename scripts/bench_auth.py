"""What authentication costs per call: cold (every token new) and cached (one token again).

In process, the authenticator alone; over gRPC, `get` of one job from servers on one MongoDB. The
variants take turns, so that whatever else the machine does meets all of them alike. Compare
figures of one run only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from pathlib import Path

import grpc
from harness.databases import mongodb
from pydantic import SecretStr

from inventory_job.auth.callers import AnonymousAuthenticator, Caller
from inventory_job.auth.keys import KeyFile
from inventory_job.auth.tokens import TokenAuthenticator
from inventory_job.observability.logging import configure_logging
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.running import ServerThread
from tests.support.store import Store
from tests.support.tokens import Issuer, key_file_text

DOMAIN = "domain-bench"
JOB = {"job_id": "job-bench", "domain_id": DOMAIN}
WARM_UP = 100

Variants = Mapping[str, Callable[[], object]]
Call = Callable[[tuple[tuple[str, str], ...]], object]
"""A call with these metadata."""


def measure(variants: Variants, rounds: int) -> dict[str, float]:
    """The median seconds of one call of each variant."""
    took: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + WARM_UP):
        for name, call in variants.items():
            started = time.perf_counter()
            call()
            if number >= WARM_UP:
                took[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in took.items()}


def variants(none: Call, jwt: Call, issuer: Issuer, rounds: int) -> Variants:
    """Calls with the metadata of each variant."""
    again = issuer.token("DOMAIN_ADMIN")
    new = iter([issuer.token("DOMAIN_ADMIN", jti=f"{n}") for n in range(rounds + WARM_UP)])
    return {
        "none": lambda: none((("x_domain_id", DOMAIN),)),
        "jwt cached": lambda: jwt((("token", again),)),
        "jwt cold": lambda: jwt((("token", next(new)),)),
    }


def in_process(key_file: Path) -> tuple[Call, Call]:
    """The authenticators of the modes none and jwt."""
    anonymous, authenticator = AnonymousAuthenticator(), TokenAuthenticator(KeyFile(key_file))
    return (
        lambda metadata: _finished(anonymous.authenticate(metadata)),
        lambda metadata: _finished(authenticator.authenticate(metadata)),
    )


def _finished(authenticating: Coroutine[None, None, Caller]) -> Caller:
    """The result of a coroutine that never suspends."""
    try:
        authenticating.send(None)
    except StopIteration as ended:
        caller: Caller = ended.value
        return caller
    raise AssertionError("it has suspended")


def over_grpc(uri: str, key_file: Path, resources: ExitStack) -> tuple[Call, Call]:
    """`get` from a server of each mode, on the MongoDB at `uri`."""
    name = "inventory-job-bench-auth"
    store = resources.enter_context(Store(uri, name))
    resources.callback(store.client.drop_database, name)
    store.jobs.insert_one(dict(JOB))
    trusting = Settings(port=0, http=False, mongo_uri=SecretStr(uri), mongo_database=name)
    verifying = trusting.model_copy(update={"auth_mode": "jwt", "auth_key_file": key_file})
    none, jwt = (_stub(settings, resources) for settings in (trusting, verifying))
    request = job_pb2.JobRequest(job_id="job-bench")
    return (
        lambda metadata: none.get(request, metadata=metadata),
        lambda metadata: jwt.get(request, metadata=metadata),
    )


def _stub(settings: Settings, resources: ExitStack) -> job_pb2_grpc.JobStub:
    server = resources.enter_context(ServerThread(settings))
    channel = resources.enter_context(grpc.insecure_channel(server.address))
    return job_pb2_grpc.JobStub(channel)


def show(title: str, medians: Mapping[str, float]) -> None:
    """Prints microseconds, and how many times the mode none each is."""
    sys.stdout.write(f"{title}, median of one call\n")
    for name, seconds in medians.items():
        ratio = seconds / medians["none"]
        more = (seconds - medians["none"]) * 1e6
        sys.stdout.write(f"  {name:<12}{seconds * 1e6:10.1f} µs {ratio:7.2f} x  {more:+8.1f} µs\n")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Measure what authentication costs per call.")
    parser.add_argument("--rounds", type=int, default=300, help="calls of each variant")
    parser.add_argument("--mongo-uri", help="default: a MongoDB of its own")
    given = parser.parse_args()
    configure_logging("error", "json")
    issuer = Issuer(DOMAIN)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as resources:
        key_file = Path(folder) / "keys.json"
        key_file.write_text(key_file_text(issuer))
        calls = variants(*in_process(key_file), issuer, given.rounds)
        show("in process", measure(calls, given.rounds))
        uri = resources.enter_context(mongodb(given.mongo_uri))
        calls = variants(*over_grpc(uri, key_file, resources), issuer, given.rounds)
        show("get over gRPC", measure(calls, given.rounds))


if __name__ == "__main__":
    main()

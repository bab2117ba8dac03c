"""What authentication costs per call: cold (every token new) and cached (one token again).

In process, the authenticator alone; over gRPC, `get` of one job from servers on one MongoDB. The
variants take turns, so that whatever else the machine does meets all of them alike. Compare
figures of one run only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import grpc
from harness.databases import mongodb
from pydantic import SecretStr

from inventory_job.auth.callers import AnonymousAuthenticator, Caller
from inventory_job.auth.keys import KeyFile
from inventory_job.auth.signing import claims_of, make_key_pair, sign
from inventory_job.auth.tokens import TokenAuthenticator
from inventory_job.observability.logging import configure_logging
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.running import ServerThread
from tests.support.store import Store

DOMAIN = "domain-bench"
JOB = {"job_id": "job-bench", "domain_id": DOMAIN}
WARM_UP = 100

Variants = Mapping[str, Callable[[], object]]


class Tokens:
    """Tokens of one domain, each different from all before."""

    def __init__(self, directory: Path) -> None:
        self._private_pem, jwk = make_key_pair()
        self.key_file = directory / "keys.json"
        self.key_file.write_text(json.dumps({DOMAIN: jwk}))

    def made(self, count: int) -> Iterator[str]:
        claims = claims_of(DOMAIN, "DOMAIN_ADMIN", permissions=["inventory:Job.read"])
        now = int(time.time())
        claims |= {"iat": now, "exp": now + 3600}
        return iter([sign(claims | {"jti": f"{n}"}, self._private_pem) for n in range(count)])


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


def in_process(tokens: Tokens, rounds: int) -> Variants:
    """The authenticators of the modes none and jwt."""
    anonymous = AnonymousAuthenticator()
    authenticator = TokenAuthenticator(KeyFile(tokens.key_file))
    new = tokens.made(rounds + WARM_UP)
    [again] = tokens.made(1)
    return {
        "none": lambda: _finished(anonymous.authenticate([("x_domain_id", DOMAIN)])),
        "jwt cached": lambda: _finished(authenticator.authenticate([("token", again)])),
        "jwt cold": lambda: _finished(authenticator.authenticate([("token", next(new))])),
    }


def _finished(authenticating: Coroutine[None, None, Caller]) -> Caller:
    """The result of a coroutine that never suspends."""
    try:
        authenticating.send(None)
    except StopIteration as ended:
        caller: Caller = ended.value
        return caller
    raise AssertionError("it has suspended")


def over_grpc(uri: str, tokens: Tokens, rounds: int, resources: ExitStack) -> Variants:
    """`get` from a server of each mode, on the MongoDB at `uri`."""
    name = "inventory-job-bench-auth"
    store = resources.enter_context(Store(uri, name))
    resources.callback(store.client.drop_database, name)
    store.jobs.insert_one(dict(JOB))
    trusting = Settings(port=0, http=False, mongo_uri=SecretStr(uri), mongo_database=name)
    verifying = trusting.model_copy(update={"auth_mode": "jwt", "auth_key_file": tokens.key_file})
    none, jwt = (_stub(settings, resources) for settings in (trusting, verifying))
    new = tokens.made(rounds + WARM_UP)
    [again] = tokens.made(1)
    request = job_pb2.JobRequest(job_id="job-bench")
    return {
        "none": lambda: none.get(request, metadata=(("x_domain_id", DOMAIN),)),
        "jwt cached": lambda: jwt.get(request, metadata=(("token", again),)),
        "jwt cold": lambda: jwt.get(request, metadata=(("token", next(new)),)),
    }


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
    with tempfile.TemporaryDirectory() as folder:
        tokens = Tokens(Path(folder))
        show("in process", measure(in_process(tokens, given.rounds), given.rounds))
        with mongodb(given.mongo_uri) as uri, ExitStack() as resources:
            variants = over_grpc(uri, tokens, given.rounds, resources)
            show("get over gRPC", measure(variants, given.rounds))


if __name__ == "__main__":
    main()

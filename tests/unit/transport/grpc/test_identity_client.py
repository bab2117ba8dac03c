"""Authentication in mode identity, against an identity service on a real port."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from inventory_job.app.authentication import build_authenticator
from inventory_job.auth.callers import Authenticator, AuthStats
from inventory_job.errors import ServiceError, Unauthenticated, Unavailable
from inventory_job.settings import Settings
from tests.support.certificates import Authority
from tests.support.identity import IdentityService
from tests.support.loops import in_loop
from tests.support.tokens import Issuer, encoded

OWN_TOKEN = "own.system.token"
DOWN = "the identity service cannot be reached"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("domain-1")


@pytest.fixture
def identity(issuer: Issuer) -> Iterator[IdentityService]:
    service = IdentityService(OWN_TOKEN, issuer, Issuer("domain-2"))
    service.start()
    yield service
    service.stop()


@dataclass
class Authentication:
    """An authenticator with its counters, and what it has opened."""

    authenticator: Authenticator
    stats: AuthStats
    resources: AsyncExitStack


@asynccontextmanager
async def authenticating(endpoint: str, **given: Any) -> AsyncIterator[Authentication]:
    """Authentication by the identity service at `endpoint`, closed in the end."""
    own = {"identity_endpoint": endpoint, "identity_token": OWN_TOKEN, "identity_seconds": 1.0}
    settings, stats = Settings(**{"auth_mode": "identity", **own, **given}), AuthStats()
    try:
        async with AsyncExitStack() as resources:
            authenticator = build_authenticator(settings, resources, stats)
            yield Authentication(authenticator, stats, resources)
    finally:
        assert len(asyncio.all_tasks()) == 1


async def outcome(built: Authentication, token: str) -> str:
    """The domain of the caller, or the name of the refusal."""
    try:
        return (await built.authenticator.authenticate([("token", token)])).domain_id
    except ServiceError as error:
        return type(error).__name__


async def eventually(built: Authentication, token: str, expected: str) -> None:
    """Waits until a call with `token` has this outcome."""
    while await outcome(built, token) != expected:  # noqa: ASYNC110  nothing says when
        await asyncio.sleep(0.05)


@in_loop
async def test_concurrent_callers_cause_one_call_for_each_domain(
    issuer: Issuer, identity: IdentityService
) -> None:
    tokens = [issuer.token("DOMAIN_ADMIN", aud=f"{number}") for number in range(50)]
    tokens += [issuer.token("DOMAIN_ADMIN", did="domain-3")]
    async with authenticating(identity.endpoint) as built:
        outcomes = await asyncio.gather(*[outcome(built, token) for token in tokens])

    assert outcomes == ["domain-1"] * 50 + ["Unauthenticated"]
    assert sorted(identity.requests) == ["key domain-1", "key domain-3"]
    assert built.stats == AuthStats(verified=51, identity_calls=2)


@pytest.mark.parametrize("key", ["", "{", '{"kty": "oct", "k": "AAAA"}'])
@in_loop
async def test_a_domain_with_a_useless_key_is_unauthenticated_and_logged(
    issuer: Issuer, identity: IdentityService, key: str
) -> None:
    identity.keys["domain-2"] = key
    with capture_logs() as entries:
        async with authenticating(identity.endpoint) as built:
            token = issuer.token("DOMAIN_ADMIN", did="domain-2")
            assert await outcome(built, token) == "Unauthenticated"

    assert [entry["event"] for entry in entries] == ["unusable public key"]


@in_loop
async def test_apps_are_asked_for_once_also_those_that_are_refused(
    issuer: Issuer, identity: IdentityService
) -> None:
    identity.apps = {"reader": (["inventory:Job.read"], ["project-1"])}
    app = {"own": "APP", "permissions": ["inventory:Job"]}
    async with authenticating(identity.endpoint) as built:
        for number in range(3):
            token = issuer.token("DOMAIN_ADMIN", jti="reader", aud=f"{number}", **app)
            caller = await built.authenticator.authenticate([("token", token)])
            assert caller.permissions == ("inventory:Job.read",)
            disabled = issuer.token("DOMAIN_ADMIN", jti="disabled", aud=f"{number}", **app)
            with pytest.raises(Unauthenticated, match="the app is not known"):
                await built.authenticator.authenticate([("token", disabled)])

    assert Counter(identity.requests) == {
        "key domain-1": 1,
        "app domain-1 reader": 1,
        "app domain-1 disabled": 1,
    }


@in_loop
async def test_an_outage_ends_by_itself_and_the_known_do_not_notice_it(
    issuer: Issuer, identity: IdentityService
) -> None:
    other = Issuer("domain-2")
    identity.keys["domain-2"] = json.dumps(other.jwk)
    async with authenticating(identity.endpoint) as built:
        assert await outcome(built, issuer.token("DOMAIN_ADMIN")) == "domain-1"
        await asyncio.to_thread(identity.stop)

        with pytest.raises(Unavailable, match=DOWN):
            await built.authenticator.authenticate([("token", other.token("DOMAIN_ADMIN"))])
        assert await outcome(built, issuer.token("DOMAIN_ADMIN", aud="again")) == "domain-1"
        assert built.stats.identity_failures == 1
        await asyncio.to_thread(identity.start)

        await eventually(built, other.token("DOMAIN_ADMIN"), "domain-2")


@in_loop
async def test_an_identity_service_that_is_too_slow_is_down(
    issuer: Issuer, identity: IdentityService
) -> None:
    identity.delay = 1.5
    tokens = [issuer.token("DOMAIN_ADMIN", aud=f"{number}") for number in range(20)]
    async with authenticating(identity.endpoint) as built:
        assert await outcome(built, tokens[0]) == "Unavailable"

        started = time.monotonic()
        assert {await outcome(built, token) for token in tokens} == {"Unavailable"}

    assert time.monotonic() - started < 0.5
    assert len(identity.requests) == 1


@in_loop
async def test_slow_answers_are_waited_for_while_others_are_authenticated(
    issuer: Issuer, identity: IdentityService
) -> None:
    good, new = issuer.token("DOMAIN_ADMIN"), issuer.token("DOMAIN_ADMIN", did="domain-2")
    async with authenticating(identity.endpoint) as built:
        assert await outcome(built, good) == "domain-1"
        identity.delay = 0.5
        waiting = [asyncio.create_task(outcome(built, new)) for _ in range(100)]
        await asyncio.sleep(0.1)

        for number in range(100):
            assert await outcome(built, good) == "domain-1"
            fresh = issuer.token("DOMAIN_ADMIN", aud=f"{number}")
            assert await outcome(built, fresh) == "domain-1"
        assert not any(task.done() for task in waiting)
        assert set(await asyncio.gather(*waiting)) == {"Unauthenticated"}


@in_loop
async def test_a_deadline_ends_the_wait_and_not_the_call(
    issuer: Issuer, identity: IdentityService
) -> None:
    identity.delay = 0.3
    metadata = [("token", issuer.token("DOMAIN_ADMIN"))]
    async with authenticating(identity.endpoint) as built:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await built.authenticator.authenticate(metadata)

        assert (await built.authenticator.authenticate(metadata)).domain_id == "domain-1"
    assert identity.requests == ["key domain-1"]


@in_loop
async def test_after_a_rotation_new_tokens_are_good_and_old_ones_no_more(
    identity: IdentityService,
) -> None:
    issuer = Issuer("domain-1")
    identity.keys["domain-1"] = json.dumps(issuer.jwk)
    old = issuer.token("DOMAIN_ADMIN")
    async with authenticating(identity.endpoint) as built:
        assert await outcome(built, old) == "domain-1"
        bad = Issuer("domain-1").token("DOMAIN_ADMIN")
        assert await outcome(built, bad) == "Unauthenticated"
        issuer.rotate()
        identity.keys["domain-1"] = json.dumps(issuer.jwk)

        assert await outcome(built, issuer.token("DOMAIN_ADMIN")) == "domain-1"
        assert await outcome(built, old) == "Unavailable"
        await eventually(built, old, "Unauthenticated")


@in_loop
async def test_10_000_bad_tokens_cause_a_handful_of_calls(
    issuer: Issuer, identity: IdentityService
) -> None:
    good = issuer.token("DOMAIN_ADMIN")
    header, _, signature = good.split(".")
    outcomes: Counter[str] = Counter()
    started = time.monotonic()
    async with authenticating(identity.endpoint) as built:
        assert await outcome(built, good) == "domain-1"
        for first in range(0, 10_000, 100):
            bad = [
                f"{header}.{encoded({'did': f'domain-{n % 5000}', 'exp': 2e9})}.{signature}"
                for n in range(first, first + 100)
            ]
            outcomes.update(await asyncio.gather(*[outcome(built, token) for token in bad]))
            assert await outcome(built, good) == "domain-1"
        assert await outcome(built, issuer.token("DOMAIN_ADMIN", aud="after")) == "domain-1"

    assert set(outcomes) == {"Unauthenticated", "Unavailable"}
    assert len(identity.requests) <= 1 + 20 + 5 * (time.monotonic() - started + 1) + 2


@in_loop
async def test_a_server_whose_own_token_is_refused_reads_it_again(
    issuer: Issuer, identity: IdentityService, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("outdated\n")
    own = {"identity_token": None, "identity_token_file": file}
    async with authenticating(identity.endpoint, **own) as built:
        assert await outcome(built, issuer.token("DOMAIN_ADMIN")) == "Unavailable"
        file.write_text(OWN_TOKEN + "\n")

        await eventually(built, issuer.token("DOMAIN_ADMIN"), "domain-1")


@in_loop
async def test_identity_is_reached_by_tls(issuer: Issuer, tmp_path: Path) -> None:
    authority = Authority()
    issued = authority.issue()
    service = IdentityService(OWN_TOKEN, issuer)
    service.start(grpc.ssl_server_credentials([(issued.key, issued.certificate)]))
    ca, strange = tmp_path / "ca.crt", tmp_path / "strange.crt"
    ca.write_bytes(authority.certificate)
    strange.write_bytes(Authority("strange").certificate)
    try:
        for file, expected in ((ca, "domain-1"), (strange, "Unavailable")):
            endpoint = f"grpc+ssl://{service.endpoint}"
            async with authenticating(endpoint, identity_ca_file=file) as built:
                assert await outcome(built, issuer.token("DOMAIN_ADMIN")) == expected
    finally:
        await asyncio.to_thread(service.stop)


@in_loop
async def test_closing_ends_calls_under_way(issuer: Issuer, identity: IdentityService) -> None:
    identity.delay = 0.5
    async with authenticating(identity.endpoint) as built:
        waiting = asyncio.create_task(outcome(built, issuer.token("DOMAIN_ADMIN")))
        await asyncio.sleep(0.1)
        await built.resources.aclose()
        with pytest.raises(asyncio.CancelledError):
            await waiting

"""Keys, apps, rotation, slowness, outage, recovery."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.support.certificates import Authority
from tests.support.identity import IdentityService
from tests.support.identity_callers import (
    OWN_TOKEN,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Client,
    MakeSettings,
    eventually,
    serving,
)
from tests.support.tokens import Issuer, encoded


def test_a_token_is_verified_with_the_key_of_its_domain(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    tokens = [issuer.token("DOMAIN_ADMIN", aud=str(number)) for number in range(20)]

    assert {tuple(client.list(token)) for token in tokens} == {("job-1",)}
    assert identity.requests == ["key domain-1"]


def test_another_domains_key_does_not_do(client: Client, issuer: Issuer) -> None:
    assert client.code(issuer.token("DOMAIN_ADMIN", did="domain-2")) is UNAUTHENTICATED


def test_a_domain_that_identity_does_not_know_is_unauthenticated(client: Client) -> None:
    assert client.code(Issuer("domain-unknown").token("DOMAIN_ADMIN")) is UNAUTHENTICATED


TOO_LONG = json.dumps({"kty": "RSA", "n": encoded(b"\xff" * 1024), "e": "AQAB"})


@pytest.mark.parametrize(
    "key",
    ["", "{", "[]", '{"kty": "oct", "k": "AAAA"}', TOO_LONG],
    ids=["empty", "cut off", "list", "symmetric", "8192 bits"],
)
def test_a_domain_with_a_useless_key_is_unauthenticated_and_no_other(
    client: Client, issuer: Issuer, identity: IdentityService, key: str
) -> None:
    identity.keys["domain-2"] = key

    assert client.code(issuer.token("DOMAIN_ADMIN", did="domain-2")) is UNAUTHENTICATED
    assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]


def test_an_apps_permissions_come_from_identity_and_are_kept(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    identity.apps = {"reader": (["inventory:Job.read"], []), "other": (["cost_analysis"], [])}
    app = {"own": "APP", "permissions": ["inventory:Job"]}

    for _ in range(3):
        token = issuer.token("DOMAIN_ADMIN", jti="reader", aud=str(_), **app)
        assert client.list(token) == ["job-1"]
    other = issuer.token("DOMAIN_ADMIN", jti="other", **app)
    unknown = issuer.token("DOMAIN_ADMIN", jti="unknown", **app)

    assert client.code(other) is grpc.StatusCode.PERMISSION_DENIED
    assert client.code(unknown) is UNAUTHENTICATED
    assert Counter(identity.requests) == {
        "key domain-1": 1,
        "app domain-1 reader": 1,
        "app domain-1 other": 1,
        "app domain-1 unknown": 1,
    }


def test_an_app_that_is_disabled_is_unauthenticated_and_checked_now_and_then(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    app = {"own": "APP", "typ": "CLIENT_SECRET"}
    token = issuer.token("DOMAIN_ADMIN", jti="disabled", **app)
    started = time.monotonic()

    with capture_logs() as entries:
        codes = {client.code(token) for _ in range(100)}

    seconds = time.monotonic() - started
    assert codes == {UNAUTHENTICATED}
    assert identity.requests.count("app domain-1 disabled") <= 1 + seconds
    refusal = {"domain_id": "domain-1", "client_id": "disabled", "log_level": "warning"}
    assert {"event": "app refused", **refusal} in entries
    identity.apps = {"enabled": (["inventory:Job"], [])}
    assert client.list(issuer.token("DOMAIN_ADMIN", jti="enabled", **app)) == ["job-1"]


def test_a_question_that_identity_fails_on_leaves_it_there_for_others(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    identity.broken.add("key domain-2")

    token = issuer.token("DOMAIN_ADMIN", did="domain-2")
    started = time.monotonic()

    assert {client.code(token) for _ in range(100)} == {UNAVAILABLE}

    assert len(identity.requests) <= 3 + (time.monotonic() - started)
    assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]


def test_after_a_rotation_new_tokens_are_good_at_once_and_old_ones_no_more(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    old = issuer.token("DOMAIN_ADMIN")
    assert client.list(old) == ["job-1"]

    issuer.rotate()
    identity.keys["domain-1"] = json.dumps(issuer.jwk)

    assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]
    assert client.code(old) is UNAUTHENTICATED


def test_calls_in_flight_during_a_rotation_succeed(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    """Callers take new tokens as soon as there are any; identity is slow to answer."""
    successor = Issuer("domain-1")
    identity.delay = 0.1

    def call(signer: Issuer, number: int) -> list[str]:
        return client.list(signer.token("DOMAIN_ADMIN", aud=f"{number}"))

    with ThreadPoolExecutor(6) as pool:
        before = [pool.submit(call, issuer, number) for number in range(30)]
        before[5].result(10)
        identity.keys["domain-1"] = json.dumps(successor.jwk)
        # As many are under way as the pool has threads.
        for waiting in before:
            waiting.cancel()
        after = [pool.submit(call, successor, number) for number in range(100, 160)]

        in_flight = [each for each in before if not each.cancelled()]
        assert {tuple(each.result(10)) for each in in_flight} == {("job-1",)}
        assert {tuple(each.result(10)) for each in after} == {("job-1",)}
    assert len(identity.requests) <= 3


def test_a_key_that_has_run_out_is_renewed(
    make_settings: MakeSettings, issuer: Issuer, identity: IdentityService
) -> None:
    with serving(make_settings(key_cache_seconds=1.0)) as client:
        assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]
        old = issuer.token("DOMAIN_ADMIN", aud="later")
        issuer.rotate()
        identity.keys["domain-1"] = json.dumps(issuer.jwk)

        assert eventually(lambda: client.code(old) is UNAUTHENTICATED, 5)


def test_calls_that_need_the_same_key_wait_for_one_slow_answer(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    identity.delay = 0.5
    tokens = [issuer.token("DOMAIN_ADMIN", aud=str(number)) for number in range(6)]

    with ThreadPoolExecutor(6) as pool:
        started = time.monotonic()
        answers = list(pool.map(client.list, tokens))
        waited = time.monotonic() - started

    assert answers == [["job-1"]] * 6
    assert identity.requests == ["key domain-1"]
    assert waited < 2.0


def test_tenants_that_all_call_after_a_start_are_all_served(
    make_settings: MakeSettings, identity: IdentityService
) -> None:
    issuers = [Issuer(f"domain-{number}") for number in range(11, 19)]
    identity.keys = {each.domain_id: json.dumps(each.jwk) for each in issuers}
    identity.delay = 0.05
    tokens = [each.token("DOMAIN_ADMIN") for each in issuers]

    with serving(make_settings()) as client, ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(client.code, tokens)) == {grpc.StatusCode.OK: 8}


def test_an_identity_too_slow_to_answer_is_unavailable_and_does_not_hold_calls_up(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    identity.delay = 1.5
    assert client.code(issuer.token("DOMAIN_ADMIN")) is UNAVAILABLE

    started = time.monotonic()
    codes = {client.code(issuer.token("DOMAIN_ADMIN", aud=str(n))) for n in range(20)}

    assert codes == {UNAVAILABLE}
    assert time.monotonic() - started < 1.0
    assert len(identity.requests) == 1


def test_a_stop_ends_a_look_up_under_way(
    make_settings: MakeSettings, issuer: Issuer, identity: IdentityService
) -> None:
    """Its caller has gone."""
    identity.delay = 3.0
    with capture_logs() as entries:
        with serving(make_settings(identity_seconds=20.0)) as client:
            with pytest.raises(grpc.RpcError):
                client.list(issuer.token("DOMAIN_ADMIN"), 0.3)
            assert identity.requests == ["key domain-1"]
            stopping = time.monotonic()
        seconds = time.monotonic() - stopping

    assert seconds < 2.0
    assert {"warning", "error"}.isdisjoint(entry["log_level"] for entry in entries)


@pytest.mark.parametrize("did", ["domain-1", "domain-unknown"])
def test_bad_tokens_hold_up_no_caller_while_identity_is_slow(
    make_settings: MakeSettings, issuer: Issuer, identity: IdentityService, did: str
) -> None:
    bad, good = Issuer(did).token("DOMAIN_ADMIN"), issuer.token("DOMAIN_ADMIN")
    waits: list[float] = []
    with serving(make_settings(identity_seconds=3.0)) as client, ThreadPoolExecutor(16) as pool:

        def flood() -> bool:
            return client.code(bad) is grpc.StatusCode.OK or len(waits) == 10

        assert client.list(good) == ["job-1"]
        identity.delay = 2.0
        for _ in range(16):
            pool.submit(eventually, flood)
        assert eventually(lambda: len(identity.requests) > 1)
        while len(waits) < 10:
            started = time.monotonic()
            client.code(good)
            waits.append(time.monotonic() - started)

    assert statistics.median(waits) < 0.5


def test_strangers_and_apps_do_not_hold_up_the_known_while_identity_is_slow(
    make_settings: MakeSettings, issuer: Issuer, identity: IdentityService
) -> None:
    good = issuer.token("DOMAIN_ADMIN")
    strangers = [Issuer(f"domain-{number}").token("DOMAIN_ADMIN") for number in (10, 11, 12)]
    apps = [issuer.token("DOMAIN_ADMIN", own="APP", jti=f"app-{number}") for number in (1, 2)]
    settings = make_settings(identity_seconds=3.0)
    with serving(settings) as client, ThreadPoolExecutor(9) as pool:
        assert client.list(good) == ["job-1"]
        identity.delay = 2.0
        for token in [*strangers, *strangers]:
            pool.submit(client.code, token)
        assert eventually(lambda: len(identity.requests) == 4)
        for token in apps:
            pool.submit(client.code, token)
        assert eventually(lambda: any(name.startswith("app") for name in identity.requests))

        started = time.monotonic()
        assert client.list(good) == ["job-1"]
        waited = time.monotonic() - started

    assert waited < 1.0


def test_an_outage_is_unavailable_for_the_unknown_and_unnoticed_by_the_known(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    other = Issuer("domain-2")
    identity.keys["domain-2"] = json.dumps(other.jwk)
    assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]

    identity.stop()

    assert client.code(other.token("DOMAIN_ADMIN")) is UNAVAILABLE
    assert client.list(issuer.token("DOMAIN_ADMIN", aud="again")) == ["job-1"]
    identity.start()
    assert eventually(lambda: client.code(other.token("DOMAIN_ADMIN")) is grpc.StatusCode.OK)


def test_an_outage_is_answered_with_unavailable_and_the_reason(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    identity.stop()

    with pytest.raises(grpc.RpcError) as raised:
        client.list(issuer.token("DOMAIN_ADMIN"))

    assert raised.value.details() == (
        "ERROR_UNAVAILABLE: Server is unavailable. "
        "(reason = the identity service cannot be reached)"
    )


def test_a_server_whose_own_token_is_refused_is_unavailable_not_its_callers_at_fault(
    make_settings: MakeSettings, issuer: Issuer
) -> None:
    with serving(make_settings(identity_token=SecretStr("wrong"))) as client:
        assert client.code(issuer.token("DOMAIN_ADMIN")) is UNAVAILABLE


def test_the_servers_own_token_is_read_from_its_file_at_every_use(
    make_settings: MakeSettings, issuer: Issuer, identity: IdentityService, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("outdated\n")
    settings = make_settings(identity_token=None, identity_token_file=file)
    with serving(settings) as client:
        assert client.code(issuer.token("DOMAIN_ADMIN")) is UNAVAILABLE

        file.write_text(OWN_TOKEN + "\n")

        assert eventually(lambda: client.code(issuer.token("DOMAIN_ADMIN")) is grpc.StatusCode.OK)


def test_identity_is_reached_by_tls(
    make_settings: MakeSettings, issuer: Issuer, tmp_path: Path
) -> None:
    authority = Authority()
    issued = authority.issue()
    credentials = grpc.ssl_server_credentials([(issued.key, issued.certificate)])
    service = IdentityService(OWN_TOKEN, issuer)
    service.start(credentials)
    ca = tmp_path / "ca.crt"
    ca.write_bytes(authority.certificate)
    settings = make_settings(
        identity_endpoint=f"grpc+ssl://{service.endpoint}", identity_ca_file=ca
    )
    try:
        with serving(settings) as client:
            assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]
        strange = tmp_path / "strange.crt"
        strange.write_bytes(Authority("strange").certificate)
        with serving(settings.model_copy(update={"identity_ca_file": strange})) as client:
            assert client.code(issuer.token("DOMAIN_ADMIN")) is UNAVAILABLE
    finally:
        service.stop()

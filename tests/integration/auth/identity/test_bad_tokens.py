"""How many requests bad tokens cause at an identity service, and which callers it serves then."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc

from tests.support.identity import IdentityService
from tests.support.identity_callers import (
    UNAUTHENTICATED,
    UNAVAILABLE,
    Client,
    MakeSettings,
    eventually,
    serving,
)
from tests.support.tokens import Issuer, encoded


def test_10_000_bad_tokens_cause_a_handful_of_calls(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    good = issuer.token("DOMAIN_ADMIN")
    assert client.list(good) == ["job-1"]
    header, _, signature = good.split(".")
    started = time.monotonic()

    def bad_token(number: int) -> str:
        payload = {"did": f"domain-{number % 5000}", "exp": time.time() + 60}
        return f"{header}.{encoded(payload)}.{signature}"

    with ThreadPoolExecutor(4) as pool:
        codes = Counter(pool.map(client.code, map(bad_token, range(10_000))))

    seconds = time.monotonic() - started
    assert set(codes) <= {UNAUTHENTICATED, UNAVAILABLE}
    # One in 5000 is of the known domain, which is looked for unseen as well.
    assert len(identity.requests) <= 1 + 20 + 5 * (seconds + 1) + 2
    assert client.list(issuer.token("DOMAIN_ADMIN", aud="after")) == ["job-1"]


def test_the_rate_of_look_ups_is_a_setting(
    make_settings: MakeSettings, issuer: Issuer, identity: IdentityService
) -> None:
    with serving(make_settings(identity_lookups_per_second=0.25)) as client:
        strangers = [Issuer(f"domain-{number}").token("DOMAIN_ADMIN") for number in range(10, 20)]
        codes = {client.code(token) for token in strangers}

        assert codes == {UNAUTHENTICATED, UNAVAILABLE}
        assert len(identity.requests) == 1


def test_bad_tokens_of_a_known_domain_cause_a_call_a_second(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]
    thief = Issuer("domain-1")
    started = time.monotonic()

    codes = {client.code(thief.token("DOMAIN_ADMIN", aud=str(n))) for n in range(500)}

    assert codes <= {UNAUTHENTICATED, UNAVAILABLE}
    assert len(identity.requests) <= 1 + 3 + (time.monotonic() - started)


def test_a_token_of_a_new_key_comes_in_while_bad_ones_keep_the_look_ups_used_up(
    client: Client, issuer: Issuer, identity: IdentityService
) -> None:
    """Its answer is to come again, not that it is bad."""
    assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]
    thief = Issuer("domain-1")
    flood = [thief.token("DOMAIN_ADMIN", did=f"domain-{n}") for n in range(100)]
    for token in [*flood, *[thief.token("DOMAIN_ADMIN", aud=f"{n}") for n in range(10)]]:
        assert client.code(token) is not grpc.StatusCode.OK
    issuer.rotate()
    identity.keys["domain-1"] = json.dumps(issuer.jwk)
    token = issuer.token("DOMAIN_ADMIN")
    codes = set()

    def comes_in() -> bool:
        for bad in flood:
            client.code(bad)
        codes.add(client.code(token))
        return grpc.StatusCode.OK in codes

    assert eventually(comes_in, 10)
    assert UNAUTHENTICATED not in codes


def test_a_bad_token_is_refused_in_the_end_however_many_there_are(
    client: Client, issuer: Issuer
) -> None:
    """After a rotation the holders of old tokens learn that they need new ones."""
    assert client.list(issuer.token("DOMAIN_ADMIN")) == ["job-1"]
    thief = Issuer("domain-1")
    waiting = {thief.token("DOMAIN_ADMIN", aud=f"{n}") for n in range(50)}

    def all_were_told() -> bool:
        waiting.difference_update(
            [token for token in waiting if client.code(token) is UNAUTHENTICATED]
        )
        return not waiting

    assert eventually(all_were_told, 10)

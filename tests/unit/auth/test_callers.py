"""What a call's metadata say about its caller."""

from __future__ import annotations

import asyncio

import pytest

from inventory_job.auth.callers import AnonymousAuthenticator, Caller, read_metadata
from inventory_job.errors import InvalidRequest, Unauthenticated


def test_the_metadata_of_ours_are_read_and_others_passed_over() -> None:
    pairs = [("user-agent", "x"), ("token", "t"), ("x_domain_id", "d"), ("x_workspace_id", "w")]

    assert read_metadata(pairs) == ("t", "d", "w")


def test_other_metadata_may_repeat() -> None:
    assert read_metadata([("trace", "1"), ("trace", "2")]) == ("", "", "")


@pytest.mark.parametrize("values", [("a", "b"), ("a", "a"), ("", "a")])
def test_a_second_token_is_unauthenticated(values: tuple[str, str]) -> None:
    with pytest.raises(Unauthenticated, match="more than one token"):
        read_metadata([("token", value) for value in values])


@pytest.mark.parametrize("key", ["x_domain_id", "x_workspace_id"])
def test_a_second_tenant_is_an_invalid_request(key: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_metadata([(key, "a"), (key, "b")])

    assert raised.value.problems[0].path == key


def test_without_authentication_the_tenant_named_is_the_callers() -> None:
    caller = asyncio.run(
        AnonymousAuthenticator().authenticate([("x_domain_id", "d"), ("x_workspace_id", "w")])
    )

    assert caller == Caller("d", "w", system=True)


def test_without_authentication_a_call_that_names_no_tenant_has_the_default() -> None:
    assert asyncio.run(AnonymousAuthenticator("default").authenticate([])) == Caller(
        "default", system=True
    )


def test_a_named_tenant_goes_before_the_default() -> None:
    caller = asyncio.run(AnonymousAuthenticator("default").authenticate([("x_domain_id", "d")]))

    assert caller.domain_id == "d"


def test_without_a_tenant_and_a_default_the_domain_is_required() -> None:
    with pytest.raises(InvalidRequest, match=r"Required parameter\. \(key = domain_id\)"):
        asyncio.run(AnonymousAuthenticator().authenticate([("x_domain_id", "")]))

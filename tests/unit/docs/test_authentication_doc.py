"""The page about authentication says what the code does."""

from __future__ import annotations

import re
import string
from typing import get_args

import pytest

from inventory_job.auth.callers import Caller
from inventory_job.auth.keys import KID
from inventory_job.auth.policy import INJECTABLE, RULES, WORKSPACE_ROLES, authorize, scope_for
from inventory_job.auth.tokens import MOST_TOKEN_BYTES, TokenRules
from inventory_job.errors import PermissionDenied
from inventory_job.settings import Settings
from tests.support.documents import page

PAGE = page("docs/authentication.md")
PROSE = " ".join(PAGE.text.split())
READING, WRITING = ("get", "list", "analyze", "stat"), ("delete",)


def callers(cell: str) -> list[Caller]:
    """The callers that a first cell names."""
    if cell == "system token":
        return [Caller("domain-1", "ws-1", system=True)]
    roles = re.findall(r"`([A-Z_]+)`", cell) or ["USER"]
    return [Caller("domain-1", "ws-1" if role in WORKSPACE_ROLES else "", role) for role in roles]


def may_call(caller: Caller, method: str) -> bool:
    try:
        authorize(caller, method)
    except PermissionDenied:
        return False
    return True


def test_every_mode_is_described() -> None:
    described = {cells[0].strip("`") for cells in PAGE.rows("modes")}

    assert described == set(get_args(Settings.model_fields["auth_mode"].annotation))


def test_every_method_is_in_the_table_of_roles() -> None:
    assert {*READING, *WRITING} == RULES.keys()


@pytest.mark.parametrize(("who", "reading", "writing"), PAGE.rows("roles"))
def test_a_role_may_call_what_the_page_says(who: str, reading: str, writing: str) -> None:
    for caller in callers(who):
        for methods, said in ((READING, reading), (WRITING, writing)):
            assert {may_call(caller, method) for method in methods} == {said == "yes"}


@pytest.mark.parametrize(("who", "_domain", "reading", "counting"), PAGE.rows("scopes"))
def test_a_caller_sees_what_the_page_says(
    who: str, _domain: str, reading: str, counting: str
) -> None:
    for caller in callers(who):
        for methods, said in (
            (("get", "list", "analyze"), reading),
            (("stat", "delete"), counting),
        ):
            workspaces = {scope_for(caller, method, "").workspace_ids for method in methods}
            if said == "all":
                assert workspaces == {()}
            else:
                assert workspaces == {("ws-1", "*") if "`*`" in said else ("ws-1",)}


@pytest.mark.parametrize(
    ("entry", "covers"),
    [("inventory", True), ("inventory:", True), ("inventory:Job", True), ("inventory:Jo", False)],
)
def test_an_entry_covers_what_the_page_says(entry: str, covers: bool) -> None:
    caller = Caller("domain-1", role="DOMAIN_ADMIN", permissions=(entry,))

    assert f"`{entry}`" in PROSE
    assert {may_call(caller, method) for method in RULES} == {covers}


def test_every_parameter_that_a_token_may_prescribe_is_named() -> None:
    [paragraph] = re.findall(r"`injected_params` may hold .*?ignored\.", PROSE)

    assert set(re.findall(r"`(\w+)`", paragraph)) >= INJECTABLE


def test_the_page_names_the_limits_of_tokens() -> None:
    assert f"at most {MOST_TOKEN_BYTES:,} bytes".replace(",", " ") in PROSE
    assert f"remembered for {TokenRules().remember_seconds:.0f} seconds" in PROSE


def test_the_page_names_the_characters_of_a_kid() -> None:
    found = re.search(r"A `kid` has up to 128 letters, digits and `([^`]+)`, no `/` at its", PROSE)

    assert found
    signs = set(string.punctuation)
    assert {sign for sign in signs if KID.fullmatch(f"a{sign}b")} == set(found[1].split())
    assert not any(KID.fullmatch(name) for name in ("/a", "a//b", "a..b", "a" * 129))

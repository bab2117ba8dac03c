"""Permission, roles, scopes and prescribed parameters: docs/authentication.md."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest

from inventory_job.auth.callers import Caller
from inventory_job.auth.policy import RULES, authorize, confine, covers, is_loopback, scope_for
from inventory_job.auth.scope import Scope
from inventory_job.errors import PermissionDenied
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2

METHODS = ("delete", "get", "list", "analyze", "stat")
ADMIN = Caller("d", role="DOMAIN_ADMIN")
OWNER = Caller("d", "w", role="WORKSPACE_OWNER")
MEMBER = Caller("d", "w", role="WORKSPACE_MEMBER")
SYSTEM = Caller("d", "w", system=True)


def may(caller: Caller, method: str) -> bool:
    try:
        authorize(caller, method)
    except PermissionDenied:
        return False
    return True


def test_every_method_of_the_contract_has_a_rule() -> None:
    methods = job_pb2.DESCRIPTOR.services_by_name["Job"].methods_by_name

    assert set(RULES) == set(methods)


@pytest.mark.parametrize(
    ("caller", "allowed"),
    [
        (ADMIN, set(METHODS)),
        (OWNER, set(METHODS)),
        (MEMBER, {"get", "list", "analyze", "stat"}),
        (SYSTEM, set(METHODS)),
        (Caller("d", role="USER"), set()),
        (Caller("d", role="SYSTEM_ADMIN"), set()),
        (Caller("d"), set()),
        (Caller("d", role="domain_admin"), set()),
        (Caller("d", role="DOMAIN_ADMIN "), set()),
        (Caller("d", role="DОMAIN_ADMIN"), set()),  # noqa: RUF001  Cyrillic
    ],
    ids=lambda value: value.role or "system or none" if isinstance(value, Caller) else "",
)
def test_a_role_may_call_its_methods_and_no_others(caller: Caller, allowed: set[str]) -> None:
    assert {method for method in METHODS if may(caller, method)} == allowed


@pytest.mark.parametrize(
    ("prefix", "covered"),
    [
        ("inventory:Job.read", True),
        ("inventory:Job.", True),
        ("inventory:Job", True),
        ("inventory:", True),
        ("inventory", True),
        ("inventory:Jo", False),
        ("inventory:Job.rea", False),
        ("inventory:Job.readonly", False),
        ("inventory:Job.read.more", False),
        ("inventory:JobTask", False),
        ("inv", False),
        ("", False),
        ("*", False),
        (":", False),
        ("Inventory:Job.read", False),
        ("inventory:Job.read ", False),
        ("inventory:Jоb.read", False),  # noqa: RUF001  Cyrillic
    ],
)
def test_a_permission_is_covered_by_a_prefix_that_ends_at_a_boundary(
    prefix: str, covered: bool
) -> None:
    assert covers(prefix, "inventory:Job.read") is covered


def test_s8_a_permission_that_ends_in_the_middle_of_a_word_grants_nothing() -> None:
    caller = replace(ADMIN, permissions=("inventory:Jo",))

    assert not any(may(caller, method) for method in METHODS)


@pytest.mark.parametrize("boundary", string.printable)
def test_a_colon_and_a_full_stop_are_the_only_boundaries(boundary: str) -> None:
    permission = f"inventory{boundary}Job"

    assert covers("inventory", permission) is (boundary in ":.")
    assert covers(f"inventory{boundary}", permission) is (boundary in ":.")


def test_no_permissions_mean_all_of_the_role() -> None:
    assert may(replace(OWNER, permissions=()), "delete")


def test_one_permission_of_several_is_enough() -> None:
    assert may(replace(OWNER, permissions=("cost:Data", "inventory:Job.write")), "delete")


def test_a_permission_to_read_is_none_to_write() -> None:
    reader = replace(OWNER, permissions=("inventory:Job.read",))

    assert may(reader, "list")
    assert not may(reader, "delete")


def test_permissions_give_no_role_more_than_it_has() -> None:
    assert not may(replace(MEMBER, permissions=("inventory:Job.write",)), "delete")


def test_permissions_do_not_limit_a_system_token() -> None:
    assert may(replace(SYSTEM, permissions=("cost:Data",)), "delete")


DOMAIN, EXACTLY, READING = Scope("d"), Scope("d", ("w",)), Scope("d", ("w", "*"))


@pytest.mark.parametrize(
    ("caller", "requested", "get_list_analyze", "stat_delete"),
    [
        (Caller("d", system=True), "", DOMAIN, DOMAIN),
        (SYSTEM, "", READING, EXACTLY),
        (SYSTEM, "x", READING, EXACTLY),
        (ADMIN, "", DOMAIN, DOMAIN),
        (ADMIN, "w", READING, EXACTLY),
        (OWNER, "", READING, EXACTLY),
        (OWNER, "x", READING, EXACTLY),
        (MEMBER, "", READING, EXACTLY),
        (MEMBER, "*", READING, EXACTLY),
        (Caller("d", "x", role="DOMAIN_ADMIN"), "", DOMAIN, DOMAIN),
    ],
)
def test_the_scope_is_that_of_the_table(
    caller: Caller, requested: str, get_list_analyze: Scope, stat_delete: Scope
) -> None:
    for method in ("get", "list", "analyze"):
        assert scope_for(caller, method, requested) == get_list_analyze
    for method in ("stat", "delete"):
        assert scope_for(caller, method, requested) == stat_delete


def test_there_is_no_scope_without_a_domain() -> None:
    with pytest.raises(ValueError, match="a scope has a domain"):
        Scope("")


@pytest.mark.parametrize("role", ["WORKSPACE_OWNER", "WORKSPACE_MEMBER", "", "USER"])
@pytest.mark.parametrize("method", METHODS)
def test_a_caller_without_the_whole_domain_has_no_scope_without_a_workspace(
    role: str, method: str
) -> None:
    """Whatever let such a caller in: claims.py does not."""
    with pytest.raises(PermissionDenied) as refused:
        scope_for(Caller("d", role=role), method, "")

    reason = "the caller's role is one of a workspace, and none is known"
    assert refused.value.message == f"Permission denied. (reason = {reason})"


def test_an_admin_who_asks_for_the_whole_domains_jobs_gets_those_alone() -> None:
    assert scope_for(ADMIN, "list", "*") == Scope("d", ("*",))


def test_a_workspace_in_the_scope_is_no_condition_any_more() -> None:
    for caller in (ADMIN, OWNER):
        confined, _ = confine(caller, "list", {"workspace_id": "w", "job_id": "job-1"})

        assert confined == {"job_id": "job-1"}


def test_a_system_tokens_requested_workspace_is_the_scope_of_its_list() -> None:
    confined, scope = confine(Caller("d", system=True), "list", {"workspace_id": "x"})

    assert confined == {}
    assert scope == Scope("d", ("x", "*"))


def test_the_workspace_in_a_system_tokens_metadata_goes_before_the_requested_one() -> None:
    confined, scope = confine(SYSTEM, "list", {"workspace_id": "x"})

    assert confined == {}
    assert scope == READING


def test_prescribed_parameters_go_over_the_callers_own() -> None:
    caller = replace(ADMIN, injected_params={"collector_id": "c1", "status": "FAILURE"})

    confined, _ = confine(caller, "list", {"collector_id": "c2", "plugin_id": "p"})

    assert confined == {"collector_id": "c1", "plugin_id": "p", "status": "FAILURE"}


def test_a_prescribed_job_goes_over_the_one_asked_for() -> None:
    caller = replace(ADMIN, injected_params={"job_id": "job-1"})

    for method in ("get", "delete", "list"):
        assert confine(caller, method, {"job_id": "job-2"})[0] == {"job_id": "job-1"}


def test_a_parameter_the_method_does_not_have_is_not_put_into_its_request() -> None:
    caller = replace(ADMIN, injected_params={"collector_id": "c1", "job_id": "job-1"})

    assert confine(caller, "get", {"job_id": "job-2"})[0] == {"job_id": "job-1"}
    assert confine(caller, "stat", {"query": {}})[0] == {"query": {}}


@pytest.mark.parametrize("caller", [ADMIN, OWNER, SYSTEM])
def test_a_prescribed_workspace_is_the_scope(caller: Caller) -> None:
    caller = replace(caller, injected_params={"workspace_id": "v"})

    assert confine(caller, "list", {"workspace_id": "x"})[0] == {}
    assert confine(caller, "list", {"workspace_id": "x"})[1] == Scope("d", ("v", "*"))
    assert confine(caller, "stat", {})[1] == Scope("d", ("v",))


@pytest.mark.parametrize("method", METHODS)
def test_a_token_cannot_prescribe_another_domain(method: str) -> None:
    with pytest.raises(
        PermissionDenied, match=r"\bthe token prescribes another domain than its own\b"
    ):
        confine(replace(ADMIN, injected_params={"domain_id": "other"}), method, {})


def test_a_token_may_prescribe_its_own_domain() -> None:
    caller = replace(ADMIN, injected_params={"domain_id": "d"})

    assert confine(caller, "stat", {"query": {}})[1] == DOMAIN


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected

"""What laws of the query language are tried on: jobs, scopes, replies and when two are the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from inventory_job.errors import InvalidRequest, PermissionDenied, QueryRefused
from tests import oracle
from tests.support.lower_half import LowerHalf, as_json
from tests.support.store import Store

NOW = datetime(2026, 3, 7, 13, 45, 12, 345000)
JOBS = oracle.many_jobs(rng_seed=1, count=300)
REFUSALS = (InvalidRequest, PermissionDenied, QueryRefused)
Reply = Message | InvalidRequest | PermissionDenied | QueryRefused

SCOPES = [
    Scope("domain-a"),
    Scope("domain-b", ("workspace-1",)),
    Scope("domain-a", ("workspace-2", "*")),
    Scope("domain-of-nobody"),
]
scopes = st.sampled_from(SCOPES)


def law(test: Callable[..., None]) -> Callable[..., None]:
    """A property, tried as often as the options say."""
    return settings(
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
        ],
    )(test)


@contextmanager
def served(database: Store) -> Iterator[LowerHalf]:
    """The lower half of a server over a few hundred varied jobs."""
    database.jobs.insert_many(copy.deepcopy(JOBS))
    with LowerHalf(database, NOW) as lower:
        yield lower


def reply(server: LowerHalf, method: str, request: Message, scope: Scope) -> Reply:
    """The answer or the refusal."""
    try:
        return server.sent(method, request, scope)
    except REFUSALS as error:
        return error


def same(method: str, one: Reply, other: Reply) -> bool:
    """Whether both are the same answer, but for the order of lists, or the same refusal."""
    return one == other or shown(method, one) == shown(method, other)


def shown(method: str, reply: Reply) -> str:
    """An answer, with lists in an order of their own, or what a refusal says."""
    return canonical(as_json(method, reply)) if isinstance(reply, Message) else str(reply)


def canonical(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{name!r}: {canonical(member)}" for name, member in sorted(value.items()))
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(sorted(map(canonical, value)))}]"
    return repr(value)

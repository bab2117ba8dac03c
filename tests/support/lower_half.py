"""The server below its transport: a request as proto3 JSON in, the answer as proto3 JSON out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from google.protobuf import json_format
from google.protobuf.message import Message
from pymongo import monitoring

from inventory_job.auth.scope import Scope
from inventory_job.deadline import Deadline
from inventory_job.manager import JobManager
from inventory_job.model.client import Database
from inventory_job.model.counts.cache import CountCache
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import (
    DistinctPlan,
    ListPlan,
    RowsPlan,
    plan_analyze,
    plan_list,
    plan_stat,
)
from inventory_job.wire import encode
from inventory_job.wire.decode import decode
from tests.support.client import REQUESTS
from tests.support.running import LoopThread
from tests.support.store import Store

Plan = ListPlan | DistinctPlan | RowsPlan


class LowerHalf:
    """Decodes, parses, plans, runs and encodes, as the servicer does, on the database of a store;
    a context manager.

    Args:
        store: the database.
        now: the time that requests come.
        most_totals: for how many filters totals are kept.
        listeners: receive an event for every command.
    """

    def __init__(
        self,
        store: Store,
        now: datetime,
        *,
        most_totals: int = 0,
        listeners: Sequence[monitoring.CommandListener] = (),
    ) -> None:
        self._store = store
        self._most_totals = most_totals
        self._listeners = listeners
        self._context = ParseContext(Limits(), now)
        self._loop = LoopThread()

    def __enter__(self) -> Self:
        self._loop.__enter__()
        self._loop.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._close())
        self._loop.__exit__()

    async def _open(self) -> None:
        self._database = Database(self._store.uri, self._store.name, listeners=self._listeners)
        self._counts = CountCache(self._database, self._most_totals)
        self._manager = JobManager(self._database, self._counts)

    async def _close(self) -> None:
        await self._counts.close()
        await self._database.close()

    def plan(self, method: str, request: Message, scope: Scope) -> Plan:
        """What is to be run for `request`; raises InvalidRequest and PermissionDenied."""
        decoded = decode(request)
        if method == "list":
            return plan_list(decoded, scope, self._context)
        if method == "stat":
            return plan_stat(decoded, scope, self._context)
        return plan_analyze(decoded, scope, self._context)

    def sent(self, method: str, request: Message, scope: Scope) -> Message:
        """The answer to `request`, as it is received; raises ServiceErrors."""
        answer = self._loop.run(self._run(method, self.plan(method, request, scope)))
        return type(answer).FromString(answer.SerializeToString())

    def answer(self, method: str, request: Message, scope: Scope) -> dict[str, Any]:
        """The answer to `request` as JSON; raises ServiceErrors."""
        return as_json(method, self.sent(method, request, scope))

    async def _run(self, method: str, plan: Plan) -> Message:
        deadline = Deadline.after(60.0)
        if isinstance(plan, ListPlan):
            rows, total = await self._manager.list(plan, deadline)
            return encode.jobs_info(rows.decoded(), total, plan.fields)[0]
        if isinstance(plan, DistinctPlan):
            rows, total = await self._manager.distinct(plan, deadline)
            return encode.distinct_result(rows.decoded(), total)
        if method == "analyze":
            rows, more = await self._manager.analyze(plan, deadline)
            return encode.analyze_result(rows.decoded(), more)
        rows, total = await self._manager.stat(plan, deadline)
        return encode.stat_result(rows.decoded(), total)


def message(method: str, request: dict[str, Any]) -> Message:
    """The request as a message; raises json_format.ParseError when it cannot be one."""
    return json_format.ParseDict(request, REQUESTS[method]())


def as_json(method: str, answer: Message) -> dict[str, Any]:
    """An answer as proto3 JSON."""
    return json_format.MessageToDict(
        answer,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=method == "list",
    )

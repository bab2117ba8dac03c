"""The attacks that are measured, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.callers import SERVICE

from attacking.attacks import (
    Attack,
    calls,
    flood,
    many_conditions,
    many_names,
    posts,
    resets,
    silent_connections,
    silent_streams,
    unread,
    zipped_conditions,
)
from inventory_job.cli.client.calls import request_message

LIST_PATH, STAT_PATH = "/inventory/v1/job/list", "/inventory/v1/job/stat"
_STATIC_FILE = "/docs/swagger-ui-bundle.js"
_STREAMS = (
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/spaceone.api.core.v1.ServerInfo/get_version",
)
_OWN_STREAMS = (f"/{SERVICE}/stat", f"/{SERVICE}/list")
_PARALLEL = (4, 8, 32)
_COUNT = {"n": {"operator": "count"}}
_LOOKUP = {"from": "job_task", "localField": "domain_id", "foreignField": "domain_id", "as": "x"}


def _words(count: int) -> dict[str, Any]:
    words = [f"zq{number:010x}" for number in range(count)]
    return {"filter": [{"k": "job_id", "o": "contain_in", "v": words}]}


_PATTERNS = {
    "filter_or": [
        {"k": "request_secret_id", "o": "regex", "v": f"[a-z]+x{number}zz"} for number in range(480)
    ]
}
_FOLD = {
    "group_by": ["created_at", "plugin_id", "status", "collector_id", "workspace_id"],
    "field_group": ["created_at", "plugin_id", "status", "collector_id"],
    "fields": {f"n{number}": {"operator": "count"} for number in range(10)},
}
_PUSHES = {"fields": {f"p{n}": {"operator": "push", "key": "job_id"} for n in range(90)}}
SLOW_QUERIES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "480 patterns": ("list", _PATTERNS),
    "contain_in of 9 000 words": ("list", _words(9000)),
    "contain_in of 700 words": ("list", _words(700)),
    "lookup on domain_id": ("analyze", {"lookup": [_LOOKUP], "fields": _COUNT}),
    "90 pushes": ("analyze", _PUSHES),
    "30 pushes": ("analyze", {"fields": dict([*_PUSHES["fields"].items()][:30])}),
    "deep fold": ("analyze", _FOLD),
}
_WIDE_ROWS = {
    "aggregate": [
        {
            "group": {
                "keys": [{"k": "collector_id", "n": "collector_id"}],
                "fields": [{"o": "push", "k": "job_id", "n": f"p{n}"} for n in range(6)],
            }
        }
    ]
}
_GZIP = {"content-encoding": "gzip"}


@dataclass(frozen=True, slots=True)
class Row:
    """One attack. `modes` are those of authentication that it is made in; `descriptors` how many a
    server may open for it, if that is to be little."""

    attack: Attack
    modes: tuple[str, ...] = ("jwt",)
    descriptors: int | None = None


ROWS: Mapping[str, Row] = {
    **{
        f"{count} silent streams, {connections} connection(s)": Row(
            silent_streams(count, connections, _STREAMS, is_stranger=True)
        )
        for count, connections in ((200, 1), (480, 2))
    },
    **{
        f"{count} silent calls of a tenant": Row(
            silent_streams(count, 1, _OWN_STREAMS, is_stranger=False)
        )
        for count in (60, 200)
    },
    **{
        f"{callers} callers of {name}": Row(
            calls(method, request_message(method, {"query": query}), callers), ("jwt", "none")
        )
        for name, (method, query) in SLOW_QUERIES.items()
        for callers in _PARALLEL
    },
    "a million conditions, gRPC": Row(calls("list", many_conditions(), 4)),
    "a million conditions, gzip": Row(posts(LIST_PATH, zipped_conditions, _GZIP, 4)),
    "380 000 names": Row(posts(LIST_PATH, many_names, {}, 4)),
    "1 300 unread files": Row(unread(1300, "GET", _STATIC_FILE)),
    "100 unread answers": Row(unread(100, "POST", STAT_PATH, _WIDE_ROWS)),
    "1 100 silent connections to each port, 1 024 descriptors": Row(
        silent_connections(1100), descriptors=1024
    ),
    "rapid reset": Row(resets(2)),
    "refused calls": Row(flood()),
    "refused calls, 12 KiB of metadata": Row(flood(12 * 1024)),
}

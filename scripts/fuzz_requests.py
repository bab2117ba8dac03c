"""Requests for the fuzzer: random messages, good ones changed, bytes that are hardly messages."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from harness.callers import METADATA

from inventory_job.cli.client.calls import REQUESTS, request_message
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("get", {"job_id": "job-3b124006c2d2"}),
    ("delete", {"job_id": "job-ffffffffffff"}),
    ("list", {}),
    ("list", {"status": "FAILURE", "query": {"page": {"start": 3, "limit": 5}}}),
    ("list", {"query": {"filter": [{"k": "created_at", "v": "now-30d", "o": "timediff_gt"}]}}),
    ("list", {"query": {"filter": [{"k": "plugin_id", "v": "(a+)+$", "o": "regex"}]}}),
    ("list", {"query": {"filter_or": [{"k": "status", "v": ["SUCCESS"], "o": "in"}]}}),
    ("list", {"query": {"keyword": "1f 2e", "sort": [{"key": "total_tasks", "desc": True}]}}),
    ("list", {"query": {"only": ["job_id"], "minimal": True, "count_only": True}}),
    ("list", {"query": {"sort": [{"key": "x"}], "add_fields": {"x": "$status"}}}),
    ("stat", {"query": {"distinct": "plugin_id"}}),
    (
        "stat",
        {
            "query": {
                "aggregate": [
                    {
                        "group": {
                            "keys": [{"k": "created_at", "n": "day", "date_format": "%Y-%m-%d"}],
                            "fields": [
                                {"o": "count", "n": "n"},
                                {"o": "push", "n": "p", "k": "job_id"},
                            ],
                        }
                    },
                    {"unwind": {"path": "p", "filter": [{"k": "p", "v": "1", "o": "contain"}]}},
                    {"sort": [{"key": "n", "desc": True}]},
                    {"project": {"fields": [{"k": "n", "n": "m"}], "exclude_keys": True}},
                    {"skip": 1},
                    {"limit": 5},
                    {"count": {"name": "c"}},
                ]
            }
        },
    ),
    (
        "analyze",
        {
            "query": {
                "group_by": ["plugin_id", {"key": "status", "name": "s"}],
                "fields": {
                    "n": {"operator": "count"},
                    "m": {"operator": "max", "key": "created_at"},
                },
                "field_group": ["s"],
                "sort": [{"key": "n", "desc": True}],
            }
        },
    ),
    (
        "analyze",
        {
            "query": {
                "group_by": ["x"],
                "add_fields": {"x": {"if": {"__eq": ["$status", "SUCCESS"]}, "then": 1, "else": 0}},
                "fields": {"n": {"operator": "sum", "key": "total_tasks"}},
                "select": {"r": {"operator": "divide", "fields": ["n", 0]}, "x": "x"},
            }
        },
    ),
    (
        "analyze",
        {
            "query": {
                "lookup": [
                    {
                        "from": "job_task",
                        "localField": "job_id",
                        "foreignField": "job_id",
                        "as": "tasks",
                    }
                ],
                "fields": {"n": {"operator": "count"}},
                "filter": [{"k": "job_id", "v": "job-0", "o": "contain"}],
            }
        },
    ),
]
TEXTS = [
    "", " ", "a", "$", "$$ROOT", "$where", "$ne", "__raw__", "status__ne", "a.b", ".", "_id", "id",
    "\0", "a\0b", "\ufffe\uffff", "\U0010ffff", "İ", "(", "[", "(?R)", "(a+)+$", "^(.*)*$", "\\",
    "%Q", "%Y-%m", "now-1d", "now/d-99999999999w", "2026-02-30", "9999-12-31T23:59:59Z",
    "0001-01-01+14:00",
    "job-3b124006c2d2", "SUCCESS", "function() { while (true) {} }", "1e400", "9" * 30, "a" * 5000,
    "ä" * 3000, "x." * 80 + "x", "$group", "__function", "eq", "contain_in", "push", "created_at",
]  # fmt: skip
NUMBERS = [0.0, 1.0, -1.0, 0.5, 2.0**31, 2.0**53, 2.0**63, 1e308, -1e308, 5e-324, float("nan"),
           float("inf"), float("-inf")]  # fmt: skip
KEYS = ["key", "k", "v", "value", "operator", "name", "fields", "from", "pipeline", "if", "then",
        "else", "__eq", "__and", "__not", "__in", "__function", "$ne", "$where", "desc",
        ""]  # fmt: skip


class Generator:
    """Requests from one source of randomness."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request(self) -> tuple[str, bytes]:
        """A method and the bytes to send it."""
        kind = self._random.random()
        if kind < 0.25:
            method = self._random.choice(list(REQUESTS))
            message = REQUESTS[method]()
            self._fill(message, depth=6)
            return method, message.SerializeToString()
        method, good = self._random.choice(GOOD)
        message = request_message(method, good)
        for _ in range(self._random.choice([0, 1, 1, 2, 4])):
            self._change(message)
        data = message.SerializeToString()
        if kind < 0.75:
            return method, data
        if kind < 0.97:
            return self._random.choice([method, *REQUESTS]), self._mutated(data)
        return method, self._extreme(method)

    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Metadata that mostly name the tenant."""
        entries: list[tuple[str, str | bytes]] = []
        if self._random.random() < 0.97:
            entries.extend(METADATA)
        if self._random.random() < 0.1:
            entries.append(("x_workspace_id", self._random.choice(["*", "workspace-x", "$ne"])))
        if self._random.random() < 0.05:
            entries.append(("x_domain_id", self._random.choice(["", "$ne", "a" * 3000])))
        if self._random.random() < 0.05:
            entries.append(("junk-bin", self._random.randbytes(20)))
        return tuple(entries)

    def timeout(self) -> float:
        """Seconds the caller waits."""
        return self._random.choice([0.02, 0.5, 5.0, 15.0, 15.0, 15.0])

    def _text(self) -> str:
        if self._random.random() < 0.8:
            return self._random.choice(TEXTS)
        points = (self._random.randrange(0x11_0000) for _ in range(self._random.randrange(12)))
        return "".join(chr(point) for point in points if not 0xD800 <= point <= 0xDFFF)

    def _fill(self, message: Message, depth: int) -> None:
        for described in message.DESCRIPTOR.fields:
            if self._random.random() < 0.35:
                self._set(message, described, depth)

    def _set(self, message: Message, described: Any, depth: int) -> None:
        if described.message_type is None:
            if described.is_repeated:
                getattr(message, described.name).extend(
                    self._scalar(described) for _ in range(self._random.randrange(4))
                )
            else:
                setattr(message, described.name, self._scalar(described))
            return
        if described.is_repeated and described.message_type.GetOptions().map_entry:
            return
        if described.is_repeated:
            for _ in range(self._random.randrange(3)):
                self._content(getattr(message, described.name).add(), depth - 1)
        else:
            getattr(message, described.name).SetInParent()
            self._content(getattr(message, described.name), depth - 1)

    def _content(self, message: Message, depth: int) -> None:
        if isinstance(message, Value):
            self._value(message, depth)
        elif isinstance(message, Struct):
            for _ in range(self._random.randrange(4)):
                self._value(message.fields[self._name()], depth)
        elif isinstance(message, ListValue):
            for _ in range(self._random.randrange(4)):
                self._value(message.values.add(), depth)
        elif depth > 0:
            self._fill(message, depth)

    def _name(self) -> str:
        return self._random.choice(KEYS) if self._random.random() < 0.7 else self._text()

    def _value(self, value: Value, depth: int) -> None:
        kind = self._random.randrange(7 if depth > 0 else 4)
        if kind == 0:
            value.null_value = 0  # type: ignore[assignment]  # NULL_VALUE
        elif kind == 1:
            value.number_value = self._random.choice(NUMBERS)
        elif kind == 2:
            value.string_value = self._text()
        elif kind == 3:
            value.bool_value = self._random.random() < 0.5
        elif kind == 4:
            value.list_value.SetInParent()
            self._content(value.list_value, depth - 1)
        else:
            value.struct_value.SetInParent()
            self._content(value.struct_value, depth - 1)

    def _scalar(self, described: Any) -> Any:
        if described.cpp_type == described.CPPTYPE_STRING:
            return self._text()
        if described.cpp_type == described.CPPTYPE_BOOL:
            return self._random.random() < 0.5
        if described.cpp_type == described.CPPTYPE_UINT32:
            return self._random.choice([0, 1, 2, 1000, 1001, 2**31, 2**32 - 1])
        return self._random.choice([0, 1, 2, 3, 99, -1, 2**31 - 1, -(2**31)])

    def _change(self, message: Message) -> None:
        """Sets or clears something, somewhere below."""
        present = [value for _, value in message.ListFields()]
        below = [item for value in present for item in _messages(value)]
        if below and self._random.random() < 0.75:
            self._change(self._random.choice(below))
            return
        if isinstance(message, Value | Struct | ListValue):
            message.Clear()
            self._content(message, depth=3)
            return
        described: Any = self._random.choice(message.DESCRIPTOR.fields)
        message.ClearField(described.name)
        if self._random.random() < 0.8:
            self._set(message, described, depth=3)

    def _mutated(self, data: bytes) -> bytes:
        changed = bytearray(data or b"\n\x00")
        for _ in range(self._random.choice([1, 2, 8])):
            at = self._random.randrange(len(changed))
            how = self._random.randrange(4)
            if how == 0:
                changed[at] = self._random.randrange(256)
            elif how == 1:
                del changed[at : at + self._random.randrange(1, 4)]
            elif how == 2:
                changed[at:at] = self._random.randbytes(self._random.randrange(1, 5))
            else:
                # What UTF-8 must not hold: a surrogate, an overlong form, a lone continuation.
                changed[at:at] = self._random.choice([b"\xed\xa0\x80", b"\xc0\xaf", b"\x80"])
            changed = changed or bytearray(b"\x00")
        return bytes(changed)

    def _extreme(self, method: str) -> bytes:
        """Something huge or deep."""
        message = REQUESTS[method]()
        if method in ("get", "delete"):
            message = job_pb2.JobRequest(job_id="j" * self._random.choice([10**5, 5 * 10**6]))
            return message.SerializeToString()
        if self._random.random() < 0.5:
            return _nested(self._random.choice([20, 30, 40, 400, 5000]))
        query: Any = message.query  # type: ignore[attr-defined]  # list, stat and analyze have one
        condition = query.filter.add(key="job_id", operator=self._random.choice(["in", "regex_in"]))
        count = self._random.choice([9_999, 10_001, 200_000])
        condition.value.list_value.extend(f"job-{number}" for number in range(count))
        for _ in range(self._random.choice([0, 499, 501])):
            query.filter_or.add(key="status", operator="eq").value.string_value = "x"
        return bytes(message.SerializeToString())


def _messages(value: Any) -> list[Message]:
    if isinstance(value, Message):
        return [value]
    if hasattr(value, "values") and callable(value.values):
        value = list(value.values())
    elif isinstance(value, str | bytes | int | float):
        return []
    return [item for item in value if isinstance(item, Message)]


def _nested(depth: int) -> bytes:
    """A filter whose value is a list in a list in a list, written by hand: protobuf's own
    serializer refuses what a hostile client does not."""
    value = b"\x1a\x01x"
    for _ in range(depth):
        items = b"\x0a" + _varint(len(value)) + value
        value = b"\x32" + _varint(len(items)) + items
    condition = b"\x0a\x06job_id" + b"\x1a" + _varint(len(value)) + value + b"\x2a\x02eq"
    query = b"\x0a" + _varint(len(condition)) + condition
    return b"\x0a" + _varint(len(query)) + query


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])

"""The change stream goes on whatever the database answers, and ends when it is closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bson import DEFAULT_CODEC_OPTIONS, Timestamp, encode
from pymongo.errors import AutoReconnect, OperationFailure
from structlog.testing import capture_logs

from inventory_job.model.client import Database
from inventory_job.model.counts.change_stream import ChangeStream
from inventory_job.model.counts.counters import Change, Counters
from inventory_job.results import StoredDocument
from tests.support.loops import in_loop


def at(second: int) -> Timestamp:
    return Timestamp(second, 1)


def hello(written: int = 10, shown: int | None = None, term: int = 1) -> StoredDocument:
    """What a primary says."""
    return {
        "setName": "members",
        "isWritablePrimary": True,
        "electionId": term,
        "lastWrite": {
            "opTime": {"ts": at(written)},
            "majorityOpTime": {"ts": at(written if shown is None else shown)},
        },
    }


def event(kind: str, second: int) -> StoredDocument:
    return {"operationType": kind, "clusterTime": at(second), "fullDocument": {"plugin_id": "aws"}}


class Server:
    """A database that answers as it is set to, as far as the stream needs one."""

    def __init__(self) -> None:
        self.hello: Callable[[], StoredDocument] = hello
        self.looks: list[tuple[bool, list[StoredDocument]]] = []
        """Whether there is a stream after the next looks, and their events."""
        self.cursor = SimpleNamespace(try_next=self._look, close=partial(self._send, "killCursors"))
        self.failure: Exception | None = None
        """What opening a stream raises."""
        self.hangs = False
        self.loses_a_cancellation = False
        self.sent: list[str] = []

    @property
    def database(self) -> Database:
        jobs = SimpleNamespace(aggregate_raw_batches=self._open)
        return cast(
            Database,
            SimpleNamespace(
                client=SimpleNamespace(admin=SimpleNamespace(command=self._send)),
                jobs=SimpleNamespace(with_options=lambda **_: jobs),
                codec_options=DEFAULT_CODEC_OPTIONS,
            ),
        )

    async def _send(self, name: str) -> StoredDocument:
        self.sent.append(name)
        if self.hangs:
            await asyncio.sleep(3600)
        return self.hello() if name == "hello" else {}

    async def _open(self, _: list[StoredDocument], **__: Any) -> Any:
        await self._send("aggregate")
        if self.failure is not None:
            raise self.failure
        self.cursor.alive = True
        return self.cursor

    async def _look(self) -> bytes | None:
        await self._send("getMore")
        try:
            await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            # As asyncio.wait_for does in Python 3.11 where what it waits for has just ended.
            if not self.loses_a_cancellation:
                raise
            self.loses_a_cancellation = False
        self.cursor.alive, events = self.looks.pop(0) if self.looks else (True, [])
        return b"".join(map(encode, events)) or None


class Reports(Counters):
    """What was reported, in order."""

    def __init__(self) -> None:
        super().__init__(0)
        self.all: list[object] = []

    def apply(self, changes: Sequence[Change]) -> None:
        self.all.extend(
            ("other" if change.job is None else "insert", change.at.time) for change in changes
        )

    def promise(self, at: Timestamp) -> None:
        if ("promise", at.time) not in self.all[-1:]:
            self.all.append(("promise", at.time))

    def clear(self, at: Timestamp | None = None) -> None:
        self.all.append("clear")


def is_running() -> bool:
    """Whether a stream's task goes on."""
    return any(task.get_name() == "change stream" for task in asyncio.all_tasks())


async def until(condition: Callable[[], bool]) -> None:
    """Waits for it, for five seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("kind", ["update", "delete", "replace", "drop", "rename", "invalidate"])
@in_loop
async def test_changes_are_reported_in_order_and_what_is_complete_is_promised(kind: str) -> None:
    server, reports = Server(), Reports()
    server.looks = [(True, [event("insert", 11), event(kind, 12)])]
    server.hello = lambda: hello(12 if "getMore" in server.sent else 10)
    stream = ChangeStream(server.database, reports)

    stream.start()
    await until(lambda: ("promise", 12) in reports.all)

    assert reports.all == [
        ("promise", 10),
        ("insert", 11),
        ("other", 12),
        ("promise", 10),
        ("promise", 12),
    ]
    assert stream.age < 1
    await stream.close()
    assert reports.all[-1] == "clear"


@in_loop
async def test_what_a_majority_does_not_have_yet_keeps_reports_from_being_complete() -> None:
    server, reports = Server(), Reports()
    server.hello = lambda: hello(written=11, shown=10)
    stream = ChangeStream(server.database, reports)

    stream.start()
    await until(lambda: server.sent.count("getMore") > 5)

    assert stream.age == float("inf")
    assert reports.all == [("promise", 10)]
    await stream.close()


def without(*names: str) -> StoredDocument:
    return {name: value for name, value in hello().items() if name not in names}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        without("setName"),
        without("isWritablePrimary"),
        without("electionId"),
        without("lastWrite"),
        hello() | {"lastWrite": None},
        hello() | {"lastWrite": {"opTime": {"ts": at(10)}}},
    ],
    ids=["empty", "setName", "isWritablePrimary", "electionId", "lastWrite", "null", "majority"],
)
@in_loop
async def test_a_hello_that_lacks_something_ends_nothing(answer: StoredDocument) -> None:
    server, reports = Server(), Reports()
    server.hello = lambda: answer
    stream = ChangeStream(server.database, reports)

    with capture_logs() as entries:
        stream.start()
        await until(lambda: "clear" in reports.all)
        await asyncio.sleep(0.05)

    assert stream.age == float("inf")
    assert [entry["event"] for entry in entries] == ["totals are counted each time"]
    assert is_running()
    await stream.close()


@pytest.mark.parametrize(
    "loss",
    ["another primary", "no collection", "a lost connection"],
)
@in_loop
async def test_a_lost_stream_is_opened_anew(loss: str) -> None:
    server, reports = Server(), Reports()
    stream = ChangeStream(server.database, reports)
    stream.start()
    await until(lambda: stream.age < 1)

    if loss == "another primary":
        server.hello = lambda: hello(term=2)
    elif loss == "no collection":
        server.looks = [(False, [event("drop", 11), event("invalidate", 11)])]
    else:

        def lose() -> StoredDocument:
            server.hello = hello
            raise AutoReconnect("connection closed")

        server.hello = lose
    await until(lambda: server.sent.count("aggregate") == 2 and stream.age < 1)

    assert "clear" in reports.all
    assert (("other", 11) in reports.all) is (loss == "no collection")
    await stream.close()


@in_loop
async def test_a_refused_stream_is_logged_once_without_words_of_the_database() -> None:
    server, reports = Server(), Reports()
    server.failure = OperationFailure("not authorized on inventory", 13)
    stream = ChangeStream(server.database, reports)

    with capture_logs() as entries:
        stream.start()
        await until(lambda: "clear" in reports.all)

    [entry] = entries
    assert entry["reason"] == "the database refuses a change stream, error 13"
    assert is_running()
    await stream.close()


@pytest.mark.parametrize("step", ["before it begins", "while it runs"])
@in_loop
async def test_it_ends_within_a_second_where_the_database_does_not_answer(step: str) -> None:
    server, reports = Server(), Reports()
    stream = ChangeStream(server.database, reports)
    server.hangs = step == "before it begins"
    stream.start()
    if not server.hangs:
        await until(lambda: stream.age < 1)
    server.hangs = True
    await asyncio.sleep(0.05)

    began = time.monotonic()
    await stream.close()

    assert time.monotonic() - began < 1
    assert not is_running()
    stream.start()
    assert not is_running()


@in_loop
async def test_closing_what_was_never_started_is_no_error() -> None:
    await ChangeStream(Server().database, Reports()).close()


@in_loop
async def test_it_ends_where_its_cancellation_is_lost_on_the_way() -> None:
    server, reports = Server(), Reports()
    stream = ChangeStream(server.database, reports)
    stream.start()
    await until(lambda: stream.age < 1)
    server.loses_a_cancellation = True

    async with asyncio.timeout(5):
        await stream.close()

    assert not is_running()
    assert reports.all[-1] == "clear"

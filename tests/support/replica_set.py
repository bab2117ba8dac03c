"""A real replica set of several local mongods, to break in various ways."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from inventory_job.embedded.data_directory import wait_until
from inventory_job.embedded.mongod import find_mongod

Client = MongoClient[dict[str, Any]]

_NAME = "members"
_START_SECONDS = 45.0
_OPTIONS = (
    "--bind_ip=127.0.0.1",
    "--nounixsocket",
    "--quiet",
    "--oplogSize=16",
    "--wiredTigerCacheSizeGB=0.25",
    "--wiredTigerEngineConfigString=log=(prealloc=false,file_max=4MB)",
    "--setParameter=diagnosticDataCollectionEnabled=false",
    "--setParameter=enableTestCommands=1",
)


@dataclass
class Member:
    """One mongod: running, or killed and not restarted yet."""

    directory: Path
    port: int
    set_name: str | None = _NAME
    """None runs it standalone."""
    options: tuple[str, ...] = ()
    """More options of mongod."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """As the set knows it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Runs it; returns before it answers."""
        self.directory.mkdir(exist_ok=True)
        options = [f"--dbpath={self.directory}", f"--port={self.port}", *_OPTIONS, *self.options]
        if self.set_name is not None:
            options.append(f"--replSet={self.set_name}")
        with (self.directory / "mongod.log").open("ab") as log:
            self.process = subprocess.Popen(
                [find_mongod(), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def lead(self) -> None:
        """Runs it as the only member of a new set; returns once it is the primary. Raises
        TimeoutError."""
        self.start()
        if not wait_until(self.answers, _START_SECONDS):
            raise TimeoutError(_last_words(self))
        settings: dict[str, Any] = {
            "_id": self.set_name,
            "members": [{"_id": 0, "host": self.host}],
        }
        if "--configsvr" in self.options:
            settings["configsvr"] = True
        with self.connect() as client:
            client.admin.command("replSetInitiate", settings)
            if not wait_until(
                lambda: bool(client.admin.command("hello")["isWritablePrimary"]), _START_SECONDS
            ):
                raise TimeoutError(f"{self.host} does not become the primary")

    def kill(self) -> None:
        """Ends it as a power failure would (kill -9)."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Stands still within: it is connected, but does not answer."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def connect(self) -> Client:
        """A client of this member alone, whatever its state."""
        return MongoClient(
            "127.0.0.1", self.port, directConnection=True, serverSelectionTimeoutMS=5000
        )

    def answers(self) -> bool:
        """Whether it takes commands."""
        try:
            with self.connect() as client:
                client.admin.command("ping")
        except PyMongoError:
            return False
        return True


class ReplicaSet:
    """`size` members below `directory`, as a context manager: writable inside, gone after.

    Elections take about a second; oplogs are small, and members take test commands (fail points).
    """

    def __init__(self, directory: Path, size: int = 3) -> None:
        self.members = [
            Member(directory / f"member-{number}", port)
            for number, port in enumerate(free_ports(size))
        ]

    def __enter__(self) -> Self:
        try:
            for member in self.members:
                member.start()
            for member in self.members:
                assert wait_until(member.answers, _START_SECONDS), _last_words(member)
            self._configure()
            self.await_primary()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def uri(self) -> str:
        """Connection string that names all members."""
        hosts = ",".join(member.host for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={_NAME}"

    def primary(self) -> Member | None:
        """The member that takes writes now; the one elected last, should two think so."""
        found: list[tuple[Any, int]] = []
        for number, member in enumerate(self.members):
            if member.process is None:
                continue
            try:
                with member.connect() as client:
                    hello = client.admin.command("hello")
            except PyMongoError:
                continue
            if hello.get("isWritablePrimary"):
                found.append((hello["electionId"], number))
        return self.members[max(found)[1]] if found else None

    def await_primary(self) -> Member:
        """The primary, as soon as there is one."""
        found: list[Member] = []

        def elected() -> bool:
            primary = self.primary()
            if primary is not None:
                found.append(primary)
            return primary is not None

        assert wait_until(elected, _START_SECONDS), "no primary was elected"
        return found[-1]

    def secondaries(self) -> list[Member]:
        """The running members that are not the primary."""
        primary = self.await_primary()
        return [member for member in self.members if member.process and member is not primary]

    def step_down(self, seconds: int = 5) -> None:
        """Has the primary give up its office; it does not stand for election for `seconds`."""
        with self.await_primary().connect() as client:
            client.admin.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=seconds - 1)

    def restart(self, member: Member) -> None:
        """Starts a killed member, and waits until it answers."""
        member.start()
        assert wait_until(member.answers, _START_SECONDS), _last_words(member)

    @contextmanager
    def fail_point(
        self, members: list[Member], name: str, mode: Any = "alwaysOn", **data: Any
    ) -> Iterator[None]:
        """The fail point `name` of the members, on within."""
        with ExitStack() as on:
            for member in members:
                client = on.enter_context(member.connect())
                client.admin.command({"configureFailPoint": name, "mode": mode, "data": data})
                on.callback(client.admin.command, {"configureFailPoint": name, "mode": "off"})
            yield

    def stop(self) -> None:
        """Ends all members; the data is of no use afterwards."""
        with ThreadPoolExecutor(len(self.members)) as threads:
            list(threads.map(Member.kill, self.members))

    def _configure(self) -> None:
        members = [
            {"_id": number, "host": member.host} for number, member in enumerate(self.members)
        ]
        settings = {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 300}
        with self.members[0].connect() as client:
            client.admin.command(
                "replSetInitiate", {"_id": _NAME, "members": members, "settings": settings}
            )


def free_ports(count: int) -> list[int]:
    """Free ports."""
    with ExitStack() as open_:
        probes = [open_.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _last_words(member: Member) -> str:
    log = (member.directory / "mongod.log").read_text("utf-8", "replace")
    return f"{member.host} does not answer:\n" + "\n".join(log.splitlines()[-8:])

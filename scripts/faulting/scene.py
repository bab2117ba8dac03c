"""What faults happen to: a replica set behind proxies, and a server process that uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness.servers import ServerProcess
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from inventory_job.embedded.data_directory import wait_until
from tests.support.guarded_set import GuardedReplicaSet
from tests.support.proxy import Proxies, Proxy
from tests.support.replica_set import Member, ReplicaSet

DATABASE = "inventory"
_SETTLE_SECONDS = 90.0
_STEADY_STATES = {1, 2}  # primary, secondary


@dataclass(frozen=True, slots=True)
class Setup:
    """What a kind of fault needs. `settings` as in the environment, `options` of the connection
    string; `is_proxied`: the server reaches the members through proxies."""

    is_proxied: bool = False
    has_auth: bool = False
    options: str = ""
    settings: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """All there is, running."""

    members: ReplicaSet
    proxies: Proxies
    server: ServerProcess

    @property
    def guarded(self) -> GuardedReplicaSet:
        """The members, which want to know who asks."""
        if not isinstance(self.members, GuardedReplicaSet):
            raise TypeError("the members know no users")
        return self.members

    def proxy_of(self, member: Member) -> Proxy:
        """The proxy in front of a member."""
        return self.proxies.of(member.port)


class Stage:
    """Starts replica sets when they are first needed, as a context manager: gone after."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open = ExitStack()
        self._sets: dict[bool, tuple[ReplicaSet, Proxies]] = {}
        self._servers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @contextmanager
    def scene(self, setup: Setup) -> Iterator[Scene]:
        """A settled set, and a server on it that has just started."""
        members, proxies = self._set(has_auth=setup.has_auth)
        await_settled(members)
        uri = proxies.through(members.uri) if setup.is_proxied else members.uri
        uri += f"&{setup.options}" if setup.options else ""
        self._servers += 1
        log = self._directory / f"server-{self._servers}.log"
        settings = {"MONGO_URI": uri, "MONGO_DATABASE": DATABASE, **dict(setup.settings)}
        with ServerProcess(log, settings) as server:
            yield Scene(members, proxies, server)

    def _set(self, *, has_auth: bool) -> tuple[ReplicaSet, Proxies]:
        if has_auth not in self._sets:
            directory = self._directory / ("guarded" if has_auth else "open")
            directory.mkdir()
            make = GuardedReplicaSet if has_auth else ReplicaSet
            members = self._open.enter_context(make(directory))
            ports = [member.port for member in members.members]
            self._sets[has_auth] = members, self._open.enter_context(Proxies(ports))
        return self._sets[has_auth]


def connect(members: ReplicaSet) -> MongoClient[dict[str, Any]]:
    """A client that may read and write everything, and is not harmed by the proxies."""
    uri = members.root_uri if isinstance(members, GuardedReplicaSet) else members.uri
    return MongoClient(uri, w="majority", serverSelectionTimeoutMS=30_000)


def await_settled(members: ReplicaSet) -> None:
    """Waits until there is a primary, and all others follow it; raises TimeoutError."""
    if not wait_until(lambda: _is_settled(members), _SETTLE_SECONDS):
        raise TimeoutError("the replica set does not settle")


def _is_settled(members: ReplicaSet) -> bool:
    primary = members.primary()
    if primary is None:
        return False
    try:
        with primary.connect() as client:
            status = client.admin.command("replSetGetStatus")
    except PyMongoError:
        return False
    return {member["state"] for member in status["members"]} == _STEADY_STATES

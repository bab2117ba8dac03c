"""The kinds of faults: how each begins, how long it lasts, how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager as Context
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from faulting.scene import Scene, Setup
from tests.support.proxy import Line, Proxy
from tests.support.replica_set import Member, ReplicaSet

APP = "inventory-job"
_COMMANDS = ["find", "aggregate", "delete", "commitTransaction"]
_SHARE = 0.3
"""Of the commands, where only some fail."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    `fault` is on within its context, for `seconds`. `heals`: the replica set or the server gets
    over it by itself, so recovery counts from the beginning; else it counts from the end.
    """

    name: str
    fault: Callable[[Scene], Context[None]]
    seconds: float = 4.0
    heals: bool = False
    setup: Setup = field(default_factory=Setup)


Chosen: TypeAlias = Callable[[ReplicaSet], list[Member]]
"""Some members of a replica set."""


def _primary(members: ReplicaSet) -> list[Member]:
    return [members.await_primary()]


def _secondary(members: ReplicaSet) -> list[Member]:
    return members.secondaries()[:1]


def _all(members: ReplicaSet) -> list[Member]:
    return members.members


@contextmanager
def _step_down(scene: Scene) -> Iterator[None]:
    scene.members.step_down()
    yield


@contextmanager
def _killed(chosen: Chosen, scene: Scene) -> Iterator[None]:
    members = chosen(scene.members)
    for member in members:
        member.kill()
    yield
    for member in members:
        scene.members.restart(member)


@contextmanager
def _kill_lone_primary(scene: Scene) -> Iterator[None]:
    """What only the primary has got is lost: it goes on alone for a while, and the others go on
    without it."""
    [primary] = _primary(scene.members)
    with _killed(ReplicaSet.secondaries, scene):
        yield
        primary.kill()
    scene.members.await_primary()
    scene.members.restart(primary)


@contextmanager
def _suspended(chosen: Chosen, scene: Scene) -> Iterator[None]:
    with ExitStack() as suspended:
        for member in chosen(scene.members):
            suspended.enter_context(member.suspended())
        yield


@contextmanager
def _cut(chosen: Chosen, scene: Scene) -> Iterator[None]:
    proxies = [scene.proxy_of(member) for member in chosen(scene.members)]
    for proxy in proxies:
        proxy.cut()
    try:
        yield
    finally:
        for proxy in proxies:
            proxy.mend()


@contextmanager
def _line(chosen: Chosen, line: Line, scene: Scene) -> Iterator[None]:
    proxies = [scene.proxy_of(member) for member in chosen(scene.members)]
    for proxy in proxies:
        proxy.line = line
    try:
        yield
    finally:
        for proxy in proxies:
            proxy.line = Line()


@contextmanager
def _forget(scene: Scene) -> Iterator[None]:
    scene.proxies.each(Proxy.forsake)
    yield


@contextmanager
def _drop_user(scene: Scene) -> Iterator[None]:
    scene.guarded.drop_user()
    try:
        yield
    finally:
        scene.guarded.create_user()


@contextmanager
def _change_password(scene: Scene) -> Iterator[None]:
    scene.guarded.set_password("another")
    # Connections that are there stay authenticated.
    scene.proxies.each(Proxy.reset)
    try:
        yield
    finally:
        scene.guarded.set_password(scene.guarded.password)


@contextmanager
def _revoke_roles(scene: Scene) -> Iterator[None]:
    scene.guarded.set_roles([])
    try:
        yield
    finally:
        scene.guarded.set_roles(["readWriteAnyDatabase"])


@contextmanager
def _failing(data: dict[str, Any], share: float, scene: Scene) -> Iterator[None]:
    """Commands of the server fail, or wait, on every member."""
    mode = "alwaysOn" if share == 1 else {"activationProbability": share}
    members = scene.members
    with members.fail_point(members.members, "failCommand", mode, appName=APP, **data):
        yield


def _fails(name: str, share: float = _SHARE, **data: Any) -> Kind:
    commands = data.pop("failCommands", _COMMANDS)
    return Kind(name, partial(_failing, {"failCommands": commands, **data}, share))


_PROXIED = Setup(is_proxied=True)
_CHANGING_OVER = {
    11600: "InterruptedAtShutdown",
    189: "PrimarySteppedDown",
    10107: "NotWritablePrimary",
    91: "ShutdownInProgress",
}

KINDS: tuple[Kind, ...] = (
    Kind("primary steps down", _step_down, heals=True),
    Kind("primary killed", partial(_killed, _primary), heals=True),
    Kind("primary killed when alone", _kill_lone_primary),
    Kind("secondary killed", partial(_killed, _secondary), heals=True),
    Kind("all members killed", partial(_killed, _all)),
    Kind("primary stopped", partial(_suspended, _primary), seconds=8.0, heals=True),
    Kind("secondaries stopped", partial(_suspended, ReplicaSet.secondaries), seconds=6.0),
    Kind("primary cut off", partial(_cut, _primary), setup=_PROXIED),
    Kind("all members cut off", partial(_cut, _all), setup=_PROXIED),
    Kind(
        "packets to the primary lost",
        partial(_line, _primary, Line(is_silent=True)),
        seconds=8.0,
        setup=_PROXIED,
    ),
    Kind("connections forgotten", _forget, heals=True, setup=_PROXIED),
    Kind("latency of 200 ms", partial(_line, _all, Line(delay=0.1)), setup=_PROXIED),
    Kind("10 kB/s", partial(_line, _all, Line(bytes_per_second=10_000)), setup=_PROXIED),
    Kind("resets in mid-answer", partial(_line, _all, Line(reset_after=20_000)), setup=_PROXIED),
    Kind(
        "pool full",
        partial(
            _failing,
            {"failCommands": _COMMANDS, "blockConnection": True, "blockTimeMS": 300},
            1,
        ),
        setup=Setup(options="maxPoolSize=2"),
    ),
    Kind("user dropped", _drop_user, setup=Setup(has_auth=True)),
    Kind("password changed", _change_password, setup=Setup(is_proxied=True, has_auth=True)),
    Kind("roles revoked", _revoke_roles, setup=Setup(has_auth=True)),
    _fails("connections closed", closeConnection=True),
    *(_fails(f"error {code} {name}", errorCode=code) for code, name in _CHANGING_OVER.items()),
    _fails("deletes broken off", 0.5, failCommands=["delete"], closeConnection=True),
    _fails("commit lost", 0.5, failCommands=["commitTransaction"], closeConnection=True),
    _fails(
        "commit's answer lost",
        0.5,
        failCommands=["commitTransaction"],
        writeConcernError={"code": 91, "errmsg": "shutting down", "errInfo": {}},
    ),
)


def hold(kind: Kind, scene: Scene) -> tuple[float, float]:
    """Has the fault happen; when it began and when it was over, in monotonic seconds."""
    begins = time.monotonic()
    with kind.fault(scene):
        time.sleep(kind.seconds)
    return begins, time.monotonic()

"""The kinds of faults: how each begins, how long it lasts, how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager as Context
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from faulting.scene import Scene, Setup, resume, suspend
from tests.support.proxy import Line, Proxy

APP = "inventory-job"
_COMMANDS = ["find", "aggregate", "delete", "commitTransaction"]
_MOST_SECONDS = 60.0
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


@contextmanager
def _step_down(scene: Scene) -> Iterator[None]:
    scene.members.step_down()
    yield


@contextmanager
def _kill_primary(scene: Scene) -> Iterator[None]:
    primary = scene.members.await_primary()
    primary.kill()
    yield
    scene.members.restart(primary)


@contextmanager
def _kill_lone_primary(scene: Scene) -> Iterator[None]:
    """What only the primary has got is lost: it goes on alone for a while, and the others go on
    without it."""
    primary, others = scene.members.await_primary(), scene.members.secondaries()
    for member in others:
        member.kill()
    yield
    primary.kill()
    for member in others:
        scene.members.restart(member)
    scene.members.await_primary()
    scene.members.restart(primary)


@contextmanager
def _kill_secondary(scene: Scene) -> Iterator[None]:
    secondary = scene.members.secondaries()[0]
    secondary.kill()
    yield
    scene.members.restart(secondary)


@contextmanager
def _kill_all(scene: Scene) -> Iterator[None]:
    for member in scene.members.members:
        member.kill()
    yield
    for member in scene.members.members:
        scene.members.restart(member)


@contextmanager
def _stop_primary(scene: Scene) -> Iterator[None]:
    primary = scene.members.await_primary()
    suspend(primary)
    try:
        yield
    finally:
        resume(primary)


@contextmanager
def _stop_secondaries(scene: Scene) -> Iterator[None]:
    secondaries = scene.members.secondaries()
    for member in secondaries:
        suspend(member)
    try:
        yield
    finally:
        for member in secondaries:
            resume(member)


@contextmanager
def _cut(scene: Scene) -> Iterator[None]:
    proxy = scene.proxy_of(scene.members.await_primary())
    proxy.cut()
    try:
        yield
    finally:
        proxy.mend()


@contextmanager
def _cut_all(scene: Scene) -> Iterator[None]:
    scene.proxies.each(Proxy.cut)
    try:
        yield
    finally:
        scene.proxies.each(Proxy.mend)


@contextmanager
def _line_to_primary(line: Line, scene: Scene) -> Iterator[None]:
    proxy = scene.proxy_of(scene.members.await_primary())
    proxy.line = line
    try:
        yield
    finally:
        proxy.line = Line()


@contextmanager
def _lines(line: Line, scene: Scene) -> Iterator[None]:
    for proxy in scene.proxies.all:
        proxy.line = line
    try:
        yield
    finally:
        for proxy in scene.proxies.all:
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
    point = {"configureFailPoint": "failCommand", "data": {"appName": APP, **data}}
    on: dict[str, Any] = {"activationProbability": share}
    with ExitStack() as stack:
        for member in scene.members.members:
            client = stack.enter_context(member.connect())
            client.admin.command({**point, "mode": "alwaysOn" if share == 1 else on})
            stack.callback(client.admin.command, {**point, "mode": "off"})
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
    Kind("primary killed", _kill_primary, heals=True),
    Kind("primary killed when alone", _kill_lone_primary),
    Kind("secondary killed", _kill_secondary, heals=True),
    Kind("all members killed", _kill_all),
    Kind("primary stopped", _stop_primary, seconds=8.0, heals=True),
    Kind("secondaries stopped", _stop_secondaries, seconds=6.0),
    Kind("primary cut off", _cut, setup=_PROXIED),
    Kind("all members cut off", _cut_all, setup=_PROXIED),
    Kind(
        "packets to the primary lost",
        partial(_line_to_primary, Line(is_silent=True)),
        seconds=8.0,
        setup=_PROXIED,
    ),
    Kind("connections forgotten", _forget, heals=True, setup=_PROXIED),
    Kind("latency of 200 ms", partial(_lines, Line(delay=0.1)), setup=_PROXIED),
    Kind("10 kB/s", partial(_lines, Line(bytes_per_second=10_000)), setup=_PROXIED),
    Kind("resets in mid-answer", partial(_lines, Line(reset_after=20_000)), setup=_PROXIED),
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

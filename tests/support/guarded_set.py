"""A real replica set with authentication, whose users can be taken their access."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pymongo import MongoClient

from inventory_job.embedded.mongod import find_mongod
from tests.support import replica_set
from tests.support.replica_set import Client, Member, ReplicaSet

ROOT = "root"
SERVICE = "service"


@dataclass
class GuardedMember(Member):
    """A mongod with authentication; `login` is what its tests log in with."""

    login: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        """Runs it; returns before it answers."""
        key_file = self.directory.parent / "key"
        if not key_file.exists():
            key_file.touch(0o600)
            key_file.write_text(secrets.token_hex(32))
        self.directory.mkdir(exist_ok=True)
        options = (
            f"--dbpath={self.directory}",
            f"--port={self.port}",
            f"--replSet={self.set_name}",
            f"--keyFile={key_file}",
        )
        with (self.directory / "mongod.log").open("ab") as log:
            self.process = subprocess.Popen(
                [find_mongod(), *options, *replica_set._OPTIONS],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def connect(self) -> Client:
        """A client of this member alone, whatever its state."""
        return MongoClient(
            "127.0.0.1",
            self.port,
            directConnection=True,
            serverSelectionTimeoutMS=5000,
            **self.login,
        )


class GuardedReplicaSet(ReplicaSet):
    """A replica set with a user for the service, and one that may do anything."""

    def __init__(self, directory: Path, size: int = 3) -> None:
        super().__init__(directory, size)
        self.password = secrets.token_hex(8)
        self._login: dict[str, Any] = {}
        self.members = [
            GuardedMember(member.directory, member.port, login=self._login)
            for member in self.members
        ]

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            password = secrets.token_hex(8)
            # Without a user the first one may be created from this machine.
            with self.await_primary().connect() as client:
                client.admin.command("createUser", ROOT, pwd=password, roles=["root"])
            self._login.update(username=ROOT, password=password)
            self.create_user()
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def uri(self) -> str:
        """Connection string of the service's user."""
        return super().uri.replace("mongodb://", f"mongodb://{SERVICE}:{self.password}@")

    @property
    def root_uri(self) -> str:
        """Connection string of the user that may do anything."""
        user = f"{ROOT}:{self._login['password']}"
        return super().uri.replace("mongodb://", f"mongodb://{user}@")

    def create_user(self) -> None:
        """Creates the service's user."""
        self._on_primary("createUser", SERVICE, pwd=self.password, roles=["readWriteAnyDatabase"])

    def drop_user(self) -> None:
        """The service's user is no more."""
        self._on_primary("dropUser", SERVICE)

    def set_password(self, password: str) -> None:
        """Gives the service's user a password; the connections it has stay as they are."""
        self._on_primary("updateUser", SERVICE, pwd=password)

    def set_roles(self, roles: list[str]) -> None:
        """What the service's user may do."""
        self._on_primary("updateUser", SERVICE, roles=roles)

    def _on_primary(self, command: str, user: str, **options: Any) -> None:
        majority = {"w": "majority"}
        with self.await_primary().connect() as client:
            client.admin.command(command, user, writeConcern=majority, **options)

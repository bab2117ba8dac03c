"""A shard with a sharded collection, set up without a mongos: by the commands that a mongos sends.

They are MongoDB's own and change with its versions; these are those of 6.0. What a shard does with
the commands of a mongos can be seen here, what a mongos does with those of a client can not.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.replica_set import Client, Member, free_ports

_MAJORITY = {"writeConcern": {"w": "majority"}}
_DATABASE = "inventory"

Document = dict[str, Any]


class Shard:
    """A shard and its config server below `directory`, as a context manager. `collection` is
    sharded by `key`, whose values are unique. Skips the test with another MongoDB than 6.0."""

    def __init__(self, directory: Path, collection: str, key: Document) -> None:
        self._sharded = {
            "_shardsvrCreateCollection": collection,
            "shardKey": key,
            "unique": True,
            **_MAJORITY,
        }
        of_config, of_shard = free_ports(2)
        self._config = Member(directory / "config", of_config, "config", ("--configsvr",))
        self._shard = Member(directory / "shard", of_shard, "shard", ("--shardsvr",))
        self._versions: Document = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            config, shard = self._run(self._config), self._run(self._shard)
            if config.server_info()["versionArray"][:2] != [6, 0]:
                pytest.skip("how to shard without a mongos is known of MongoDB 6.0 only")
            address = f"shard/{self._shard.host}"
            config.admin.command({"_configsvrAddShard": address, "name": "shard", **_MAJORITY})
            made = config.admin.command(
                {"_configsvrCreateDatabase": _DATABASE, "primaryShardId": "shard", **_MAJORITY}
            )
            self._database = shard[_DATABASE]
            self._versions = {"databaseVersion": made["databaseVersion"]}
            sharded = self.command(self._sharded)
            self._versions["shardVersion"] = sharded["collectionVersion"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def command(self, command: Document) -> Document:
        """The answer to a command as a mongos sends it."""
        return self._database.command(command | self._versions)

    def plan(self, command: Document) -> tuple[list[str], int]:
        """What answers a command, the last stage first, and how many documents it reads. The scan
        of an index goes by the index's name."""
        explained = self.command({"explain": command, "verbosity": "executionStats"})
        if "stages" in explained:
            explained = explained["stages"][0]["$cursor"]
        plan = explained["queryPlanner"]["winningPlan"]
        plan = plan.get("queryPlan", plan)
        stages: list[str] = []
        while plan:
            stages.append(plan.get("indexName", plan["stage"]))
            plan = plan.get("inputStage")
        return stages, explained["executionStats"]["totalDocsExamined"]

    def _run(self, member: Member) -> Client:
        self._open.callback(member.kill)
        member.lead()
        return self._open.enter_context(member.connect())

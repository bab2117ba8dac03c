"""Two tenants, and what a harmless command to the database is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inventory_job.model.reading import REFUSING_LARGE_ROWS

DOMAIN, VICTIM = "domain-of-six", "domain-of-the-victim"
SECRET = "what the victim's job is called"
COUNT = {"n": {"operator": "count"}}
LOOKUP = {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "tasks"}
EVALUATING = {
    "$where", "$function", "$accumulator", "$expr", "$out", "$merge", "$unionWith", "$facet",
    "$graphLookup", "$jsonSchema", "$documents", "$currentOp", "mapReduce", "eval",
}  # fmt: skip


def keys_in(value: Any) -> Iterator[str]:
    """The names of all members, however deep, but of literals."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            if name != "$literal":
                yield from keys_in(member)
    elif isinstance(value, list):
        for item in value:
            yield from keys_in(item)


def first_condition(command: dict[str, Any]) -> Any:
    """What a command asks of documents before anything else."""
    if "pipeline" in command:
        return command["pipeline"][0]["$match"]
    return command.get("filter", command.get("query"))


def assert_harmless(commands: list[dict[str, Any]]) -> None:
    """Commands that read nothing outside of the caller's scope and run no code."""
    for command in commands:
        assert first_condition(command)["domain_id"] == DOMAIN
        # This stage is the same whatever is asked.
        pipeline = [each for each in command.get("pipeline", []) if each != REFUSING_LARGE_ROWS]
        assert not EVALUATING & set(keys_in({**command, "pipeline": pipeline}))
        for stage in command.get("pipeline", []):
            if "$lookup" in stage:
                assert stage["$lookup"]["pipeline"] == [{"$match": {"domain_id": DOMAIN}}]

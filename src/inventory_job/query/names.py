"""The words of a query: names for results, paths into rows.

What a caller writes becomes part of a pipeline only through these types, so none of it can be an
expression: no `$`, no empty parts, no NUL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    PlainValidator,
    StrictStr,
    ValidationInfo,
)

from inventory_job.errors import Code
from inventory_job.query.limits import Limits
from inventory_job.query.problems import Finding, Location, fault

_Named = TypeVar("_Named")

_TWICE_SPELLED = frozenset({"key", "name", "operator", "value"})


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What parsing depends on besides the request: the limits in force and the time (naive UTC)
    that relative times are relative to."""

    limits: Limits
    now: datetime


def context_of(info: ValidationInfo) -> ParseContext:
    """The ParseContext that a validator runs in."""
    if not isinstance(info.context, ParseContext):
        raise TypeError("requests are parsed within a ParseContext")
    return info.context


class Strict(BaseModel):
    """Base of what a caller may write: frozen, nothing unknown, no value silently changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _spellings(name: str) -> str | AliasChoices:
    return AliasChoices(name, name[0]) if name in _TWICE_SPELLED else name


class Spelled(Strict):
    """Base of what may be written with `k`, `n`, `o`, `v` for key, name, operator, value."""

    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=_spellings))


def named(known: Mapping[str, _Named], name: Any) -> _Named:
    """What one of the `known` names stands for; else raises a fault that lists them."""
    if not isinstance(name, str):
        raise fault("string", Code.INVALID_PARAMETER_TYPE)
    if name not in known:
        what = f"unknown operator {name[:40]!r}" if name else "an operator is required"
        raise fault(f"{what}; supported: {', '.join(known)}")
    return known[name]


def _checked_name(name: str) -> str:
    if not name:
        raise fault("a name is not empty")
    if any(character in name for character in ".$\0"):
        raise fault("a name is without '.', '$' and NUL")
    return name


def _not_reserved(name: str) -> str:
    if name == "_id":
        raise fault("the name _id is reserved")
    return name


def checked_path(path: Any, info: ValidationInfo) -> str:
    """`path` itself when it is a plain, possibly dotted, field path; else raises a fault."""
    if not isinstance(path, str):
        raise fault("string", Code.INVALID_PARAMETER_TYPE)
    if not path:
        raise fault("a key is not empty")
    if "$" in path or "\0" in path:
        raise fault("a key is a field path, without '$' and NUL")
    parts = path.split(".")
    if not all(parts):
        raise fault("a key has no empty part between its dots")
    depth = context_of(info).limits.depth
    if len(parts) > depth:
        raise fault(f"a key has at most {depth} parts")
    return path


KeyName = Annotated[StrictStr, AfterValidator(_checked_name)]
"""The name of a group key."""

Name = Annotated[KeyName, AfterValidator(_not_reserved)]
"""The name of a computed value."""

Path = Annotated[str, PlainValidator(checked_path)]
"""The path of a value in a row: a field name, dotted for nested ones."""


def repeated(names: Iterable[tuple[Location, str]]) -> list[Finding]:
    """For each name met before, its location and the fault that says so."""
    seen: set[str] = set()
    found = []
    for where, name in names:
        if name in seen:
            found.append((where, fault(f"the name {name!r} is used twice in one stage")))
        seen.add(name)
    return found

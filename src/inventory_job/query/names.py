"""The names and paths in a query: names of results, and paths to values in rows.

Strings of a caller become names and paths in a pipeline only through these types, so none can be
an expression: they have no `$`, no NUL and no empty parts.
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

_ABBREVIATED = frozenset({"key", "name", "operator", "value"})


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What parsing depends on besides the request: the limits, and the current time (naive UTC),
    which is the base of relative times."""

    limits: Limits
    now: datetime


def context_of(info: ValidationInfo) -> ParseContext:
    """The ParseContext of the validation that `info` belongs to."""
    if not isinstance(info.context, ParseContext):
        raise TypeError("requests are parsed within a ParseContext")
    return info.context


class Strict(BaseModel):
    """Base class of the models of requests: frozen, and unknown members are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _spellings(name: str) -> str | AliasChoices:
    return AliasChoices(name, name[0]) if name in _ABBREVIATED else name


class Spelled(Strict):
    """Base class of models that accept `k`, `n`, `o`, `v` for key, name, operator, value."""

    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=_spellings))


def named(known: Mapping[str, _Named], name: Any) -> _Named:
    """The value of `name` in `known`; if it has none, raises a fault that lists the names."""
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
    """`path`, if it is a plain field path, dotted or not; otherwise raises a fault."""
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
"""The path of a value in a row: a field name, or several joined by dots for a nested value."""


def repeated(names: Iterable[tuple[Location, str]]) -> list[Finding]:
    """A finding at the location of each name that occurred before it."""
    seen: set[str] = set()
    found = []
    for where, name in names:
        if name in seen:
            found.append((where, fault(f"the name {name!r} is used twice in one stage")))
        seen.add(name)
    return found

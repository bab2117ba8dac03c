"""The words of a query: names for results, paths into rows, formats of dates.

What a caller writes becomes part of a pipeline only through these types, so none of it can be an
expression: no `$`, no empty parts, no NUL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, PlainValidator, StrictStr
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from inventory_job.errors import Code
from inventory_job.query.limits import Limits
from inventory_job.query.problems import Location, fault

# What $dateToString of MongoDB 4.4 to 6.0 understands.
_DATE_FORMAT = re.compile(r"(?:[^%\0]|%[dGHjLmMSwuUVYzZ%])+")
_DATE_PARTS = frozenset({"year", "month", "day"})


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What parsing depends on besides the request: the limits in force and the time (naive UTC)
    that relative times are relative to."""

    limits: Limits
    now: datetime


class Strict(BaseModel):
    """Base of what a caller may write: frozen, nothing unknown, no value silently changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def context_of(info: ValidationInfo) -> ParseContext:
    """The ParseContext that a validator runs in."""
    if not isinstance(info.context, ParseContext):
        raise TypeError("requests are parsed within a ParseContext")
    return info.context


def alias(long: str, short: str) -> Any:
    """The two spellings of a member, as pydantic wants them."""
    return AliasChoices(long, short)


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


def _without_operators(name: str) -> str:
    if "__" in name:
        raise fault("a sort key is a field name, without '__'")
    return name


def _date_format(written: str) -> str:
    if written in _DATE_PARTS or not written or _DATE_FORMAT.fullmatch(written):
        return written
    raise fault(
        "a date format is year, month, day or made of %d %G %H %j %L %m %M %S %u %U %V %w %Y %z "
        "%Z %% and other text",
    )


KeyName = Annotated[StrictStr, AfterValidator(_checked_name)]
"""The name of a group key."""

Name = Annotated[KeyName, AfterValidator(_not_reserved)]
"""The name of a computed value."""

Path = Annotated[str, PlainValidator(checked_path)]
"""The path of a value in a row: a field name, dotted for nested ones."""

SortKey = Annotated[Path, AfterValidator(_without_operators)]
"""What a list may be sorted by; a name no document has is allowed."""

DateFormat = Annotated[StrictStr, AfterValidator(_date_format)]
"""How a group key writes a date; empty means not at all."""


def repeated(names: Iterable[tuple[Location, str]]) -> list[tuple[Location, PydanticCustomError]]:
    """For each name met before, its location and the fault that says so."""
    seen: set[str] = set()
    found = []
    for where, name in names:
        if name in seen:
            reason = f"the name {name!r} is used twice in one stage"
            found.append((where, fault(reason)))
        seen.add(name)
    return found

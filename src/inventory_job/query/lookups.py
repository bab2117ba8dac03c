"""The only join that is supported: the tasks of a job, by equality of two plain fields."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field as Member
from pydantic import PlainValidator, ValidationError, ValidationInfo

from inventory_job.auth.scope import Scope
from inventory_job.errors import Code
from inventory_job.query.filters import scope_conditions
from inventory_job.query.names import Name, Path, Strict
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault

_FORM = (
    "A lookup is allowed in this form alone: {from: job_task, localField, foreignField, as}, "
    "between plain fields."
)


class Lookup(Strict):
    """One entry of `lookup`."""

    from_: Annotated[str, Member(alias="from", pattern="^job_task$")]
    local_field: Path = Member(alias="localField")
    foreign_field: Path = Member(alias="foreignField")
    as_: Name = Member(alias="as")


def _lookup(value: Any, info: ValidationInfo) -> Lookup:
    try:
        return Lookup.model_validate(value, context=info.context)
    except ValidationError as error:
        raise fault(_FORM, Code.PERMISSION_DENIED) from error


Lookups = tuple[Annotated[Lookup, PlainValidator(_lookup)], ...]


def join(lookup: Lookup, scope: Scope) -> Document:
    """The $lookup of a job's tasks; it joins only tasks in the caller's scope."""
    return {
        "$lookup": {
            "from": lookup.from_,
            "localField": lookup.local_field,
            "foreignField": lookup.foreign_field,
            "pipeline": [{"$match": scope_conditions(scope)}],
            "as": lookup.as_,
        }
    }

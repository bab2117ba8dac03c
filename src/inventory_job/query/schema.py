"""The requests: what a caller may write in each, as frozen, checked values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field as Member
from pydantic import (
    PlainValidator,
    StrictStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from inventory_job.errors import Code, InvalidRequest, PermissionDenied
from inventory_job.query.analyze import AnalyzeQuery
from inventory_job.query.conditions import Filtered, KnownField, Page, Sort, UnwindCondition
from inventory_job.query.expressions import AddFields
from inventory_job.query.fields import FIELDS, near_matches
from inventory_job.query.limits import check_size
from inventory_job.query.lookups import Lookup, Lookups
from inventory_job.query.names import ParseContext, Path, SortKey, Strict
from inventory_job.query.problems import fault, missing, problems_of, raise_any
from inventory_job.query.stages import Stage

_Request = TypeVar("_Request", bound=Strict)


class ListSort(Sort):
    """One key a list is sorted by."""

    key: SortKey


class ListUnwind(Strict):
    """An unwind in a list. A job's fields are scalars, so it changes nothing but by its filter,
    which drops the jobs that do not meet it."""

    path: KnownField
    filter: tuple[UnwindCondition, ...] = ()


class ListQuery(Filtered):
    """core.v2.Query."""

    sort: tuple[ListSort, ...] = ()
    page: Page = Page()
    minimal: bool = False
    count_only: bool = False
    only: tuple[KnownField, ...] = ()
    unwind: ListUnwind | None = None
    lookup: Lookups = ()
    add_fields: AddFields = Member({})

    @field_validator("lookup")
    @classmethod
    def _beside_the_fields(cls, lookups: tuple[Lookup, ...]) -> tuple[Lookup, ...]:
        problem = fault("in a list, a lookup's result is not called like a field of the job")
        raise_any(
            ((index, "as"), problem) for index, lookup in enumerate(lookups) if lookup.as_ in FIELDS
        )
        return lookups

    @model_validator(mode="after")
    def _sorted_by_what_there_is(self) -> Self:
        added = [*self.add_fields, *(lookup.as_ for lookup in self.lookup)]
        raise_any(
            (("sort", index, "key"), _unknown(sort.key, [*FIELDS, *added]))
            for index, sort in enumerate(self.sort)
            if sort.key not in FIELDS and sort.key.split(".", 1)[0] not in added
        )
        return self


def _unknown(key: str, known: list[str]) -> PydanticCustomError:
    hint = near_matches(key, known) or f"names are {', '.join(known)}"
    return fault(f"there is no {key[:60]!r} to sort by; {hint}")


def _status(value: Any) -> str:
    # Enums are open on the wire: a number without a name arrives as that number.
    if not isinstance(value, str):
        raise fault(f"there is no status with the number {value}")
    return value


class ListRequest(Strict):
    """JobsQuery."""

    query: ListQuery = ListQuery()
    job_id: StrictStr = ""
    status: Annotated[str, PlainValidator(_status)] = ""
    workspace_id: StrictStr = ""
    collector_id: StrictStr = ""
    plugin_id: StrictStr = ""


class JobRequest(Strict):
    """JobRequest: which job."""

    job_id: StrictStr


class StatQuery(Filtered):
    """core.v2.StatisticsQuery. Stages win over `distinct` when both are given."""

    distinct: Path | None = None
    aggregate: tuple[Stage, ...] = Member((), validate_default=True)
    page: Page = Page()

    @field_validator("aggregate")
    @classmethod
    def _something_asked(
        cls, aggregate: tuple[Stage, ...], info: ValidationInfo
    ) -> tuple[Stage, ...]:
        if not aggregate and info.data.get("distinct", "") is None:
            raise missing("aggregate")
        return aggregate


class StatRequest(Strict):
    """JobStatQuery."""

    query: StatQuery


class AnalyzeRequest(Strict):
    """JobAnalyzeQuery."""

    query: AnalyzeQuery


def parse(model: type[_Request], request: Mapping[str, Any], context: ParseContext) -> _Request:
    """A decoded request (plain dictionaries, only what the caller gave) as the `model` has it.

    Raises InvalidRequest with every problem found (docs/query-language.md), or PermissionDenied
    for a lookup.
    """
    check_size(request, context.limits)
    try:
        return model.model_validate(request, context=context)
    except ValidationError as error:
        problems = problems_of(error)
    denied = next((found for found in problems if found.code is Code.PERMISSION_DENIED), None)
    if denied:
        raise PermissionDenied(denied.message, denied.path)
    raise InvalidRequest(problems)

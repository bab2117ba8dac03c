"""The requests: what a caller may write in each, as frozen, checked values.

`parse_*` take a decoded request (plain dictionaries, only what the caller gave) and either return
such a value or raise InvalidRequest with every problem found (spec/interface.md, messages).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
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
from inventory_job.query.accumulators import ACCUMULATORS, check_fields
from inventory_job.query.conditions import Condition, Page, Sort, Unwind, choice, known_field
from inventory_job.query.expressions import Source, added_expression, names_in, select_source
from inventory_job.query.fields import FIELDS, Field
from inventory_job.query.limits import check_size
from inventory_job.query.names import (
    KeyName,
    Name,
    ParseContext,
    Path,
    SortKey,
    Strict,
    alias,
    checked_path,
    repeated,
)
from inventory_job.query.problems import Location, fault, problems_of, raise_any
from inventory_job.query.stages import Stage

_Request = TypeVar("_Request", bound=Strict)

TOTAL_PREFIX = "_total_"
"""What the total of a folded field is called, before the field's name."""

FOLDED_VALUE = "value"
"""What a folded field's own value is called."""


class Lookup(Strict):
    """The one join there is: a job's tasks, by plain fields."""

    from_: Annotated[str, Member(alias="from", pattern="^job_task$")]
    local_field: Path = Member(alias="localField")
    foreign_field: Path = Member(alias="foreignField")
    as_: Name = Member(alias="as")


def _lookup(value: Any, info: ValidationInfo) -> Lookup:
    try:
        return Lookup.model_validate(value, context=info.context)
    except ValidationError as error:
        raise fault(
            Code.PERMISSION_DENIED,
            "A lookup is allowed in this form alone: {from: job_task, localField, foreignField, "
            "as}, between plain fields.",
        ) from error


Lookups = tuple[Annotated[Lookup, PlainValidator(_lookup)], ...]
AddFields = dict[Name, Annotated[Any, PlainValidator(added_expression)]]
KnownField = Annotated[Field, PlainValidator(known_field)]


class Filtered(Strict):
    """What every query has: which jobs it is about."""

    filter: tuple[Condition, ...] = ()
    filter_or: tuple[Condition, ...] = ()
    keyword: StrictStr = ""


class ListSort(Sort):
    """One key a list is sorted by."""

    key: SortKey


class ListUnwind(Unwind):
    """An unwind in a list. A job's fields are scalars, so it changes nothing but by its filter,
    which drops the jobs that do not meet it."""

    @field_validator("path")
    @classmethod
    def _of_a_job(cls, path: str) -> str:
        known_field(path)
        return path


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
        reason = "in a list, a lookup's result is not called like a field of the job"
        raise_any(
            ((index, "as"), fault(Code.INVALID_PARAMETER, reason))
            for index, lookup in enumerate(lookups)
            if lookup.as_ in FIELDS
        )
        return lookups

    @model_validator(mode="after")
    def _sorted_by_what_there_is(self) -> Self:
        added = [*self.add_fields, *(lookup.as_ for lookup in self.lookup)]
        raise_any(
            (("sort", index, "key"), problem)
            for index, sort in enumerate(self.sort)
            if (problem := _sort_problem(sort.key, added))
        )
        return self


def _sort_problem(key: str, added: Sequence[str]) -> PydanticCustomError | None:
    """What is wrong with a sort key that is neither a field nor an added one, or a part of that."""
    known = [*FIELDS, *added]
    if key in FIELDS or key.split(".", 1)[0] in added:
        return None
    near = get_close_matches(key, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"names are {', '.join(known)}"
    return fault(Code.INVALID_PARAMETER, f"there is no {key[:60]!r} to sort by; {hint}")


def _status(value: Any) -> str:
    # Enums are open on the wire: a number without a name arrives as that number.
    if not isinstance(value, str):
        raise fault(Code.INVALID_PARAMETER, f"there is no status with the number {value}")
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
            raise fault(Code.REQUIRED_PARAMETER, "", "aggregate")
        return aggregate


class StatRequest(Strict):
    """JobStatQuery."""

    query: StatQuery


class GroupBy(Strict):
    """A key to group by and what the answer calls it."""

    key: Path = Member(validation_alias=alias("key", "k"))
    name: KeyName = Member(validation_alias=alias("name", "n"))


def _group_by(value: Any, info: ValidationInfo) -> GroupBy:
    if isinstance(value, str):
        name = checked_path(value, info).rsplit(".", 1)[-1]
        return GroupBy.model_validate({"key": value, "name": name}, context=info.context)
    try:
        return GroupBy.model_validate(value, context=info.context)
    except ValidationError as error:
        first = problems_of(error)[0]
        reason = f"an entry is a text or {{key, name}}; {first.path or 'it'} is not right there"
        raise fault(Code.INVALID_PARAMETER, reason, "group_by") from error


class AnalyzeField(Strict):
    """One computed value of an analyze."""

    operator: StrictStr | None = Member(None, validate_default=True)
    key: Path | None = Member(None, validate_default=True)
    fields: dict[Name, Path] = Member({}, validate_default=True)
    data_type: StrictStr = ""

    @field_validator("operator")
    @classmethod
    def _known(cls, operator: str | None) -> str:
        if not operator:
            raise fault(Code.REQUIRED_PARAMETER, "", "query.fields.operator")
        return choice(operator, ACCUMULATORS)

    @field_validator("key")
    @classmethod
    def _key_given(cls, key: str | None, info: ValidationInfo) -> str | None:
        accumulator = ACCUMULATORS.get(info.data.get("operator") or "")
        if key is None and accumulator and accumulator.needs_key and not accumulator.takes_fields:
            raise fault(Code.REQUIRED_PARAMETER, "", "query.fields.key")
        return key

    @field_validator("fields")
    @classmethod
    def _fields_fit(cls, fields: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        accumulator = ACCUMULATORS.get(info.data.get("operator") or "")
        check_fields(accumulator, info.data.get("key", ""), list(fields), "query.fields.fields")
        return fields

    @field_validator("data_type")
    @classmethod
    def _applies(cls, data_type: str, info: ValidationInfo) -> str:
        accumulator = ACCUMULATORS.get(info.data.get("operator") or "")
        if data_type and data_type != "array":
            raise fault(Code.INVALID_PARAMETER, "a data type is array or absent")
        if data_type and accumulator and not accumulator.of_elements:
            reason = f"operator {accumulator.name} does not look into arrays"
            raise fault(Code.INVALID_PARAMETER, reason)
        return data_type


def _totals_in(
    names: Iterable[tuple[Location, str]],
) -> list[tuple[Location, PydanticCustomError]]:
    reason = f"with field_group, a name does not begin with {TOTAL_PREFIX}"
    return [
        (where, fault(Code.INVALID_PARAMETER, reason))
        for where, name in names
        if name.startswith(TOTAL_PREFIX)
    ]


def _values_in(
    names: Iterable[tuple[Location, str]], folded: Iterable[str]
) -> list[tuple[Location, PydanticCustomError]]:
    reason = f"a name in field_group is not {FOLDED_VALUE}, which the folded values are called"
    return [
        (where, fault(Code.INVALID_PARAMETER, reason))
        for where, name in names
        if name == FOLDED_VALUE and name in folded
    ]


def _folded(info: ValidationInfo) -> tuple[str, ...]:
    """The names to fold; there are some, too, where a name among them is refused."""
    folded: tuple[str, ...] = info.data.get("field_group", (TOTAL_PREFIX,))
    return folded


class AnalyzeQuery(Filtered):
    """core.v2.AnalyzeQuery. What others are checked against comes before them."""

    field_group: tuple[StrictStr, ...] = ()
    group_by: tuple[Annotated[GroupBy, PlainValidator(_group_by)], ...] = ()
    fields: dict[Name, AnalyzeField] = Member({}, validate_default=True)
    select: dict[Name, Annotated[Source, PlainValidator(select_source)]] = Member({})
    sort: tuple[Sort, ...] = ()
    page: Page = Page()
    unwind: Unwind | None = None
    lookup: Lookups = ()
    add_fields: AddFields = Member({})

    @field_validator("field_group")
    @classmethod
    def _folded_fit(cls, folded: tuple[str, ...]) -> tuple[str, ...]:
        raise_any(_totals_in(((index,), name) for index, name in enumerate(folded)))
        return folded

    @field_validator("group_by")
    @classmethod
    def _keys_fit(cls, group_by: tuple[GroupBy, ...], info: ValidationInfo) -> tuple[GroupBy, ...]:
        names: list[tuple[Location, str]] = [
            ((index,), key.name) for index, key in enumerate(group_by)
        ]
        found = repeated(names)
        if folded := _folded(info):
            found += [*_totals_in(names), *_values_in(names, folded)]
        raise_any(found)
        return group_by

    @field_validator("fields")
    @classmethod
    def _fields_fit(
        cls, fields: dict[str, AnalyzeField], info: ValidationInfo
    ) -> dict[str, AnalyzeField]:
        if not fields:
            raise fault(Code.REQUIRED_PARAMETER, "", "query.fields")
        keys = {key.name for key in info.data.get("group_by", ())}
        reason = "a field and a group_by key have the same name"
        found: list[tuple[Location, PydanticCustomError]] = [
            ((name,), fault(Code.INVALID_PARAMETER, reason)) for name in fields if name in keys
        ]
        if _folded(info):
            found += _totals_in(((name,), name) for name in fields)
        raise_any(found)
        return fields

    @field_validator("select")
    @classmethod
    def _select_fits(cls, select: dict[str, Source], info: ValidationInfo) -> dict[str, Source]:
        names: list[tuple[Location, str]] = [((name,), name) for name in select]
        found: list[tuple[Location, PydanticCustomError]] = []
        if folded := _folded(info):
            found += [*_totals_in(names), *_values_in(names, folded)]
        if "group_by" in info.data and "fields" in info.data:
            known = {key.name for key in info.data["group_by"]} | info.data["fields"].keys()
            reason = f"a select names group_by keys and fields: {', '.join(sorted(known))}"
            found += [
                ((name,), fault(Code.INVALID_PARAMETER, reason))
                for name, source in select.items()
                if not {key.split(".", 1)[0] for key in names_in(source)} <= known
            ]
        raise_any(found)
        return select

    @property
    def columns(self) -> tuple[str, ...]:
        """The names a row has before folding."""
        return tuple(self.select) or (*(key.name for key in self.group_by), *self.fields)


class AnalyzeRequest(Strict):
    """JobAnalyzeQuery."""

    query: AnalyzeQuery


def parse_job(request: Mapping[str, Any], context: ParseContext) -> JobRequest:
    """A decoded JobRequest; raises InvalidRequest when the job_id is missing."""
    return _parse(JobRequest, request, context)


def parse_list(request: Mapping[str, Any], context: ParseContext) -> ListRequest:
    """A decoded JobsQuery; raises InvalidRequest, or PermissionDenied for a lookup."""
    return _parse(ListRequest, request, context)


def parse_stat(request: Mapping[str, Any], context: ParseContext) -> StatRequest:
    """A decoded JobStatQuery; raises InvalidRequest."""
    return _parse(StatRequest, request, context)


def parse_analyze(request: Mapping[str, Any], context: ParseContext) -> AnalyzeRequest:
    """A decoded JobAnalyzeQuery; raises InvalidRequest, or PermissionDenied for a lookup."""
    return _parse(AnalyzeRequest, request, context)


def _parse(model: type[_Request], request: Mapping[str, Any], context: ParseContext) -> _Request:
    check_size(request, context.limits)
    try:
        return model.model_validate(request, context=context)
    except ValidationError as error:
        problems = problems_of(error)
    denied = next((found for found in problems if found.code is Code.PERMISSION_DENIED), None)
    if denied:
        raise PermissionDenied(denied.message, denied.path)
    raise InvalidRequest(problems)

"""An analyze, as a caller writes it (docs/query-language.md#analyze)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field as Member
from pydantic import PlainValidator, StrictStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from inventory_job.query.accumulators import Accumulator, accumulator, check_fields, check_key
from inventory_job.query.conditions import Filtered, Page, Sort, Unwind
from inventory_job.query.expressions import AddFields, select_expression
from inventory_job.query.lookups import Lookups
from inventory_job.query.names import KeyName, Name, Path, Strict, alias, checked_path, repeated
from inventory_job.query.problems import Location, fault, missing, problems_of, raise_any

TOTAL_PREFIX = "_total_"
"""What the total of a folded field is called, before the field's name."""

FOLDED_VALUE = "value"
"""What a folded field's own value is called."""


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
        raise fault(reason, key="group_by") from error


def _field_operator(name: Any) -> Accumulator:
    if not name:
        raise missing("query.fields.operator")
    return accumulator(name)


class AnalyzeField(Strict):
    """One computed value of an analyze."""

    operator: Annotated[Accumulator, PlainValidator(_field_operator)] = Member(
        None, validate_default=True
    )
    key: Path | None = Member(None, validate_default=True)
    fields: dict[Name, Path] = Member({}, validate_default=True)
    data_type: StrictStr = ""

    @field_validator("key")
    @classmethod
    def _key_given(cls, key: str | None, info: ValidationInfo) -> str | None:
        check_key(info.data.get("operator"), key, "query.fields.key")
        return key

    @field_validator("fields")
    @classmethod
    def _fields_fit(cls, fields: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        chosen, key = info.data.get("operator"), info.data.get("key", "")
        check_fields(chosen, key, list(fields), "query.fields.fields")
        return fields

    @field_validator("data_type")
    @classmethod
    def _applies(cls, data_type: str, info: ValidationInfo) -> str:
        chosen = info.data.get("operator")
        if data_type and data_type != "array":
            raise fault("a data type is array or absent")
        if data_type and chosen and not chosen.of_elements:
            raise fault(f"operator {chosen.name} does not look into arrays")
        return data_type


def _taken(
    names: Iterable[tuple[Location, str]], info: ValidationInfo, *, are_folded: bool = True
) -> list[tuple[Location, PydanticCustomError]]:
    """For each name that folding needs itself, its location and the fault that says so; where a
    name to fold is refused, there is one all the same."""
    folded = info.data.get("field_group", (TOTAL_PREFIX,))
    total = fault(f"with field_group, a name does not begin with {TOTAL_PREFIX}")
    value = fault(
        f"a name in field_group is not {FOLDED_VALUE}, which the folded values are called"
    )
    return [
        (where, total if name.startswith(TOTAL_PREFIX) else value)
        for where, name in names
        if (folded and name.startswith(TOTAL_PREFIX))
        or (are_folded and name == FOLDED_VALUE and name in folded)
    ]


class AnalyzeQuery(Filtered):
    """core.v2.AnalyzeQuery. What others are checked against comes before them."""

    field_group: tuple[StrictStr, ...] = ()
    group_by: tuple[Annotated[GroupBy, PlainValidator(_group_by)], ...] = ()
    fields: dict[Name, AnalyzeField] = Member({}, validate_default=True)
    select: dict[Name, Annotated[Any, PlainValidator(select_expression)]] = Member({})
    sort: tuple[Sort, ...] = ()
    page: Page = Page()
    unwind: Unwind | None = None
    lookup: Lookups = ()
    add_fields: AddFields = Member({})

    @field_validator("field_group")
    @classmethod
    def _folded_fit(cls, folded: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        names = (((index,), name) for index, name in enumerate(folded))
        raise_any(_taken(names, info, are_folded=False))
        return folded

    @field_validator("group_by")
    @classmethod
    def _keys_fit(cls, group_by: tuple[GroupBy, ...], info: ValidationInfo) -> tuple[GroupBy, ...]:
        names: list[tuple[Location, str]] = [
            ((index,), key.name) for index, key in enumerate(group_by)
        ]
        raise_any([*repeated(names), *_taken(names, info)])
        return group_by

    @field_validator("fields")
    @classmethod
    def _fields_fit(
        cls, fields: dict[str, AnalyzeField], info: ValidationInfo
    ) -> dict[str, AnalyzeField]:
        if not fields:
            raise missing("query.fields")
        keys = {key.name for key in info.data.get("group_by", ())}
        same = fault("a field and a group_by key have the same name")
        taken = _taken((((name,), name) for name in fields), info, are_folded=False)
        raise_any([*(((name,), same) for name in fields if name in keys), *taken])
        return fields

    @field_validator("select")
    @classmethod
    def _select_fits(cls, select: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        raise_any(_taken((((name,), name) for name in select), info))
        return select

    @property
    def columns(self) -> tuple[str, ...]:
        """The names a row has before folding."""
        return tuple(self.select) or (*(key.name for key in self.group_by), *self.fields)

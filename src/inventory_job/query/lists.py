"""The query model of a list, and all that it compiles to except the filter
(docs/query-language.md#list)."""

from __future__ import annotations

from typing import Self

from pydantic import Field as Member
from pydantic import field_validator, model_validator
from pydantic_core import PydanticCustomError

from inventory_job.auth.scope import Scope
from inventory_job.query.expressions import AddFields
from inventory_job.query.fields import FIELDS, MINIMAL, SHOWN, suggestion
from inventory_job.query.filters import Filtered, KnownField, Page, Sort, UnwindCondition
from inventory_job.query.names import Strict
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault, raise_any
from inventory_job.query.stages import Lookup, Lookups

NEWEST_FIRST = {"created_at": -1, "_id": 1}
_ADDED = "_added"


class ListSort(Sort):
    """One sort key of a list."""

    @field_validator("key")
    @classmethod
    def _without_operator(cls, key: str) -> str:
        if "__" in key:
            raise fault("a sort key is a field name, without '__'")
        return key


class ListUnwind(Strict):
    """An unwind in a list. All fields of a job are scalars, so only its filter has an effect: it
    excludes the jobs that do not meet it."""

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
    def _not_named_like_fields(cls, lookups: tuple[Lookup, ...]) -> tuple[Lookup, ...]:
        problem = fault("in a list, a lookup's result is not called like a field of the job")
        raise_any(
            ((index, "as"), problem) for index, lookup in enumerate(lookups) if lookup.as_ in FIELDS
        )
        return lookups

    @model_validator(mode="after")
    def _sort_keys_exist(self) -> Self:
        added = [*self.add_fields, *(lookup.as_ for lookup in self.lookup)]
        raise_any(
            (("sort", index, "key"), _unknown(sort.key, [*FIELDS, *added]))
            for index, sort in enumerate(self.sort)
            if sort.key not in FIELDS and sort.key.split(".", 1)[0] not in added
        )
        return self

    def order(self) -> Document:
        """The sort: a dictionary of paths to 1 or -1, the most significant first."""
        order: Document = {}
        for key in self.sort:
            path = FIELDS[key.key].path if key.key in FIELDS else key.key
            if key.key.split(".", 1)[0] in self.add_fields:
                path = f"{_ADDED}.{key.key}"
            order.setdefault(path, -1 if key.desc else 1)
        return order | {"_id": order.get("_id", 1)} if order else dict(NEWEST_FIRST)

    def shown(self) -> tuple[str, ...]:
        """The JobInfo fields to return, in the order of `SHOWN`."""
        requested = {field.name for field in self.only} | set(MINIMAL if self.minimal else ())
        return tuple(name for name in SHOWN if name in requested) if requested else SHOWN

    def unwound(self) -> list[Document]:
        """The conditions of the unwind's filter, after one that the field has a value: $unwind
        itself would output no row for an absent field, null or an empty list."""
        if self.unwind is None or not self.unwind.filter:
            return []
        is_there: Document = {self.unwind.path.path: {"$nin": [None, []]}}
        return [is_there, *(condition.emit() for condition in self.unwind.filter)]

    def computed(self, scope: Scope) -> tuple[Document, ...]:
        """Stages that compute the sort keys which are not stored; the response omits the values."""
        computed = self.add_fields.keys() | {lookup.as_ for lookup in self.lookup}
        if not computed & {key.key.split(".", 1)[0] for key in self.sort}:
            return ()
        stages = [lookup.stage(scope) for lookup in self.lookup]
        if self.add_fields:
            # Nested in one field, so that an added field does not replace a stored one.
            stages.append({"$addFields": {_ADDED: dict(self.add_fields)}})
        return tuple(stages)


def _unknown(key: str, known: list[str]) -> PydanticCustomError:
    return fault(f"there is no {key[:60]!r} to sort by; {suggestion(key, known, 'names')}")

"""Nonsense for hypothesis: put into good requests of the query language, or in the place of one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from tests.support.strategies import Request, Strategy

_odd_texts = st.text(max_size=8) | st.sampled_from(
    ["$status", "$$ROOT", "__raw__", "$where", "status__ne", "a.b", "_id", "eq", "\0", "_total_n"]
)
_odd_names = st.sampled_from(
    ["$ne", "key", "k", "operator", "name", "if", "__function", "$where", "x"]
)


def _odd_lists(inner: Strategy[Any]) -> Strategy[list[Any]]:
    return st.lists(inner, max_size=3)


def _odd_documents(inner: Strategy[Any]) -> Strategy[Request]:
    return st.dictionaries(_odd_names, inner, max_size=3)


anything: Strategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _odd_texts,
    lambda inner: _odd_lists(inner) | _odd_documents(inner),
    max_leaves=5,
)

_OF_ANY_KIND: dict[str, Strategy[Any]] = {
    "google.protobuf.Value": anything,
    "google.protobuf.ListValue": _odd_lists(anything),
    "google.protobuf.Struct": _odd_documents(anything),
}
_OF_A_TYPE: dict[int, Strategy[Any]] = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_STRING: _odd_texts,
    FieldDescriptor.TYPE_ENUM: st.integers(-1, 99),
}


@st.composite
def mangled(
    draw: st.DrawFn, requests: Strategy[Request], kind: type[Message] | None = None
) -> Request:
    """A good request with nonsense in some place; with a kind of message, what that can hold."""
    request = copy.deepcopy(draw(requests))
    descriptor: Any = kind and kind.DESCRIPTOR
    places = [*_places(request, descriptor)]
    if places:
        container, member, nonsense = draw(st.sampled_from(places))
        container[member] = draw(nonsense)
    return request


_Place = tuple[Any, Any, Strategy[Any]]
"""A container, the name or number of a member, and what nonsense may take its place."""


def _places(value: Any, kind: Descriptor | None) -> Iterator[_Place]:
    """The places within `value`, which is a message of that kind or anything."""
    if kind is None or kind.full_name in _OF_ANY_KIND:
        for name in _members(value):
            yield value, name, anything
            yield from _places(value[name], None)
        return
    for name, member in value.items():
        field = kind.fields_by_name[name]
        element = _nonsense(field)
        if not field.is_repeated:
            yield value, name, st.none() | element
            yield from _within(member, field)
            continue
        yield value, name, _odd_lists(element)
        for number, each in enumerate(member):
            yield member, number, element
            yield from _within(each, field)


def _within(value: Any, field: FieldDescriptor) -> Iterator[_Place]:
    return _places(value, field.message_type) if field.message_type else iter(())


def _members(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [*range(len(value))]
    return [*value] if isinstance(value, dict) else []


def _nonsense(field: FieldDescriptor) -> Strategy[Any]:
    """What one value of a field can hold."""
    if field.message_type:
        return _OF_ANY_KIND.get(field.message_type.full_name, st.just({}))
    return _OF_A_TYPE[field.type]

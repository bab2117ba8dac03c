"""Messages ↔ proto3 JSON, by protobuf's json_format; field names as in the .proto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from inventory_job.errors import InvalidRequest, Problem, invalid, wrong_type

AnyMessage = TypeVar("AnyMessage", bound=Message)

_MOST_DEPTH = 100
# What json_format raises for values that it cannot put into a message.
_REFUSALS = (json_format.ParseError, ArithmeticError, TypeError, ValueError)
_FREE = {
    "google.protobuf.Struct": dict,
    "google.protobuf.ListValue": list,
    "google.protobuf.Value": object,
}
_NAMES: dict[int, str] = {
    FieldDescriptor.CPPTYPE_STRING: "str",
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_INT32: "int",
    FieldDescriptor.CPPTYPE_UINT32: "int",
}


def message_of(content: bytes, kind: type[AnyMessage]) -> AnyMessage:
    """The message of this kind that `content` is in JSON.

    Raises InvalidRequest for what is not JSON, and for each field that is unknown or does not
    hold what it should.
    """
    members = _parsed(content)
    message = kind()
    try:
        json_format.ParseDict(members, message, max_recursion_depth=_MOST_DEPTH)
    except _REFUSALS as error:
        problems = list(_of_message(members, kind.DESCRIPTOR, ""))
        raise InvalidRequest(
            problems or invalid("body", "it is not a message of this method")
        ) from error
    return message


def json_of(message: Message) -> bytes:
    """`message` as compact JSON in UTF-8; members at their defaults are left out."""
    members = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return encoded(members)


def encoded(members: Any) -> bytes:
    """Plain data as compact JSON in UTF-8."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        members = json.loads(
            content.decode(), object_pairs_hook=_without_twins, parse_constant=_refuse
        )
        if b"\\u" in content:
            encoded(members)  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidRequest(invalid("body", f"it is not JSON{where}")) from error
    if not isinstance(members, dict):
        raise InvalidRequest(wrong_type("body", "dict"))
    return members


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(invalid("body", f"a member is there twice: {twin!r}"))
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _of_message(value: Any, descriptor: Any, path: str) -> Iterator[Problem]:
    """What json_format has against `value` as a message, found again to say where it is."""
    free = _FREE.get(descriptor.full_name)
    if free is not None:
        if not isinstance(value, free):
            yield wrong_type(path, free.__name__)
        return
    if not isinstance(value, dict):
        yield wrong_type(path, "dict")
        return
    by_json_name = {field.json_name: field for field in descriptor.fields}
    chosen: dict[str, str] = {}
    for name, member in value.items():
        at = f"{path}.{name}" if path else name
        field = by_json_name.get(name) or descriptor.fields_by_name.get(name)
        if field is None:
            yield invalid(at, "there is no such field")
        elif member is not None:
            group = field.containing_oneof
            if group and chosen.setdefault(group.name, name) != name:
                yield invalid(at, f"{chosen[group.name]!r} says the same")
            yield from _of_field(member, field, at)


def _of_field(value: Any, field: FieldDescriptor, path: str) -> Iterator[Problem]:
    if not field.is_repeated:
        yield from _of_single(value, field, path)
    elif not isinstance(value, list):
        yield wrong_type(path, "list")
    else:
        for index, item in enumerate(value):
            yield from _of_single(item, field, f"{path}[{index}]")


def _of_single(value: Any, field: FieldDescriptor, path: str) -> Iterator[Problem]:
    if field.message_type is not None:
        yield from _of_message(value, field.message_type, path)
        return
    alone = GetMessageClass(cast(Descriptor, field.containing_type))()
    try:
        if value is None:
            raise TypeError("an item is null")
        json_format.ParseDict({field.name: [value] if field.is_repeated else value}, alone)
    except _REFUSALS:
        if field.enum_type is not None:
            known = ", ".join(field.enum_type.values_by_name)
            yield invalid(path, f"it must be one of {known}")
        else:
            yield wrong_type(path, _NAMES[field.cpp_type])

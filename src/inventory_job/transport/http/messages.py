"""Messages ↔ ProtoJSON, by protobuf's json_format; field names as in the .proto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from inventory_job.errors import InvalidRequest, Problem, invalid, wrong_type
from inventory_job.transport.http.parsing import MOST_DEPTH, TOO_LARGE_A_NUMBER, parsed
from inventory_job.wire.parse import AnyMessage

_MOST_REPORTED = 100
# json_format counts two messages per level of nested objects: a Value, and the Struct in it.
_MESSAGES_A_LEVEL = 2
# The errors of json_format for values that do not fit their field.
_REFUSALS = (json_format.ParseError, ArithmeticError, TypeError, ValueError)
_FREE = {
    "google.protobuf.Struct": dict,
    "google.protobuf.ListValue": list,
    "google.protobuf.Value": object,
}
# Fields of these types accept every value of the Python type.
_PLAIN = {FieldDescriptor.CPPTYPE_STRING: str, FieldDescriptor.CPPTYPE_BOOL: bool}
_NAMES: dict[int, str] = {
    FieldDescriptor.CPPTYPE_STRING: "str",
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_INT32: "int",
    FieldDescriptor.CPPTYPE_UINT32: "int",
}


def message_of(content: bytes | bytearray, kind: type[AnyMessage], most_values: int) -> AnyMessage:
    """Parses `content`, a message of type `kind` as JSON.

    Raises InvalidRequest for what is not JSON or has more than `most_values` values, and for each
    field (the first 100) that is unknown, given twice, or given a value it does not accept.
    """
    members = parsed(content, most_values)
    found = _of_message(members, cast(Descriptor, kind.DESCRIPTOR), "")
    if problems := [*islice(found, _MOST_REPORTED)]:
        raise InvalidRequest(problems)
    message = kind()
    try:
        json_format.ParseDict(members, message, max_recursion_depth=_MESSAGES_A_LEVEL * MOST_DEPTH)
    except OverflowError as error:
        # A number in a Struct or Value, whose contents are not checked before this.
        raise InvalidRequest(invalid("body", TOO_LARGE_A_NUMBER)) from error
    return message


def json_of(message: Message) -> bytes:
    """`message` as compact JSON in UTF-8; fields with default values are left out."""
    return encoded(json_format.MessageToDict(message, preserving_proto_field_name=True))


def encoded(members: Any) -> bytes:
    """Plain data as compact JSON in UTF-8."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def _of_message(value: Any, descriptor: Descriptor, path: str) -> Iterator[Problem]:
    """The problems of `value` as the JSON of a message; `path` is where it is in the body."""
    free = _FREE.get(descriptor.full_name)
    if free is not None:
        if not isinstance(value, free):
            yield wrong_type(path, free.__name__)
        return
    if not isinstance(value, dict):
        # Some languages write an empty object as an empty list; protobuf takes that.
        if value not in ([], ""):
            yield wrong_type(path, "dict")
        return
    given: dict[str, str] = {}
    for name, member in value.items():
        at = f"{path}.{name}" if path else name
        field = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
        if field is None:
            yield invalid(at, "there is no such field")
            continue
        # A null does not set its field, so it leaves the other fields of a oneof as they are.
        group = None if member is None else field.containing_oneof
        for what in (field, group) if group else (field,):
            earlier = given.setdefault(what.full_name, name)
            if earlier != name:
                yield invalid(at, f"{earlier!r} says the same")
        if member is not None:
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
    if type(value) is _PLAIN.get(field.cpp_type):
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

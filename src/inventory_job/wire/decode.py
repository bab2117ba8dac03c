"""Converts a request message to dictionaries that hold only the fields that the caller set.

Field names stay as in the .proto, whole numbers in a Value become int, and enum values become their
names (a number without a name stays a number). Nothing is validated here.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value

_INT64_BOUND = 2.0**63


def decode(message: Message) -> dict[str, Any]:
    """The set fields of `message` by name: messages as dictionaries, repeated fields as lists."""
    return {field.name: _field(field, value) for field, value in message.ListFields()}


def _field(field: FieldDescriptor, value: Any) -> Any:
    if field.is_repeated:
        return [_single(field, item) for item in value]
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Message):
        return _message(value)
    if field.enum_type is not None and value in field.enum_type.values_by_number:
        return field.enum_type.values_by_number[value].name
    return value


def _message(message: Message) -> Any:
    if isinstance(message, Value):
        return _value(message)
    if isinstance(message, Struct):
        return {name: _value(member) for name, member in message.fields.items()}
    if isinstance(message, ListValue):
        return [_value(item) for item in message.values]
    return decode(message)


def _value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    content = getattr(value, kind)
    if kind == "number_value":
        whole = content.is_integer() and -_INT64_BOUND <= content < _INT64_BOUND
        return int(content) if whole else content
    if kind in ("struct_value", "list_value"):
        return _message(content)
    return content

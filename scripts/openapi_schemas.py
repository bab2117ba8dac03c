"""Messages as JSON schemas: what json_format takes and writes for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema = dict[str, Any]
Comments = Mapping[str, str]
"""Full name of an element → what is said about it."""

_SCALARS: Mapping[int, Schema] = {
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_INT32: {
        "type": "integer",
        "format": "int32",
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
    },
    FieldDescriptor.CPPTYPE_UINT32: {
        "type": "integer",
        "format": "uint32",
        "minimum": 0,
        "maximum": 2**32 - 1,
    },
}
"""The types of scalars in proto/."""

_WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Empty": {"type": "object", "additionalProperties": False},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Value": {},
}


def schema_of(message: Descriptor) -> Schema:
    """The schema of `message` where it is used: free JSON, or a reference to a component."""
    known = _WELL_KNOWN.get(message.full_name)
    return dict(known) if known is not None else _reference(message)


def components(messages: list[Descriptor], comments: Comments) -> dict[str, Schema]:
    """The components that `messages` refer to, and those refer to, by name."""
    found: dict[str, Schema] = {}
    waiting: list[Descriptor | EnumDescriptor] = list(messages)
    while waiting:
        element = waiting.pop()
        name = _name(element)
        if name in found or element.full_name in _WELL_KNOWN:
            continue
        if isinstance(element, EnumDescriptor):
            found[name] = _enum(element, comments)
        else:
            found[name] = _message(element, comments)
            waiting.extend(_used(element))
    return dict(sorted(found.items()))


def _name(element: Any) -> str:
    name: str = element.full_name.removeprefix(f"{element.file.package}.")
    return name


def _reference(element: Any) -> Schema:
    return {"$ref": f"#/components/schemas/{_name(element)}"}


def _used(message: Descriptor) -> Iterator[Descriptor | EnumDescriptor]:
    for field in message.fields:
        used = field.message_type or field.enum_type
        if used is not None:
            yield used


def _message(message: Descriptor, comments: Comments) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {field.name: _field(field, comments) for field in message.fields},
        "additionalProperties": False,
    }
    one_of = [[field.name for field in group.fields] for group in message.oneofs]
    if len(one_of) == 1 and len(one_of[0]) == len(message.fields):
        schema["maxProperties"] = 1
    elif one_of:
        schema["allOf"] = [
            {"not": {"required": [*pair]}} for group in one_of for pair in combinations(group, 2)
        ]
    return _described(schema, comments.get(message.full_name))


def _field(field: FieldDescriptor, comments: Comments) -> Schema:
    if field.message_type is not None:
        schema = schema_of(field.message_type)
    elif field.enum_type is not None:
        schema = _reference(field.enum_type)
    else:
        schema = dict(_SCALARS[field.cpp_type])
    if field.is_repeated:
        schema = {"type": "array", "items": schema}
    group = field.containing_oneof
    said = comments.get(field.full_name) or (comments.get(group.full_name) if group else None)
    return _described(schema, said)


def _enum(enum: EnumDescriptor, comments: Comments) -> Schema:
    said = [comments.get(enum.full_name)]
    for value in enum.values:
        comment = comments.get(f"{enum.full_name}.{value.name}")
        said += [f"`{value.name}`: {comment}"] if comment else []
    schema: Schema = {"type": "string", "enum": [value.name for value in enum.values]}
    return _described(schema, "\n\n".join(filter(None, said)))


def _described(schema: Schema, comment: str | None) -> Schema:
    return schema | {"description": comment} if comment else schema

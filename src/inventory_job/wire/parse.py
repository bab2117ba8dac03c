"""Bytes of a request → message, bounded before it takes memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from inventory_job.errors import InvalidRequest, invalid

AnyMessage = TypeVar("AnyMessage", bound=Message)

# The shortest field: its number, and a length of 0.
_LEAST_BYTES = 2
_VARINT, _FIXED_64, _SIZED, _FIXED_32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED_64: 8, _FIXED_32: 4}


def bounded(kind: type[AnyMessage], most_values: int) -> Callable[[bytes], AnyMessage]:
    """What makes a message of its bytes; it raises InvalidRequest if there are more than
    `most_values` values, those of inner messages included, and protobuf's DecodeError."""
    # A message takes up to forty times the bytes it was sent in.
    fields = _shape(kind.DESCRIPTOR)

    def parse(content: bytes) -> AnyMessage:
        if len(content) > most_values * _LEAST_BYTES and _has_more(content, fields, most_values):
            reason = f"more than {most_values} values in one request"
            raise InvalidRequest(invalid("request", reason))
        return kind.FromString(content)

    return parse


@dataclass(slots=True)
class _Shape:
    """A message: for how many values each of its fields counts, those that are messages and the
    plain ones, and the former's shapes by their numbers."""

    nested: int
    plain: int
    messages: dict[int, _Shape] = field(default_factory=dict)


@cache
def _shape(descriptor: Descriptor) -> _Shape:
    return _shaped(descriptor, {})


def _shaped(descriptor: Descriptor, known: dict[str, _Shape]) -> _Shape:
    if descriptor.full_name not in known:
        # What is in a Value, or in an entry of a map, has been counted with it; an entry has one
        # value, but a Value may be sent one list after the other, each of which takes memory.
        is_entry = descriptor.GetOptions().map_entry
        is_part = is_entry or descriptor.full_name == "google.protobuf.Value"
        shape = known[descriptor.full_name] = _Shape(int(not is_entry), int(not is_part))
        shape.messages |= {
            each.number: _shaped(each.message_type, known)
            for each in descriptor.fields
            if each.message_type is not None
        }
    return known[descriptor.full_name]


def _has_more(content: bytes, shape: _Shape, most: int) -> bool:
    """Whether `content` has more than `most` values; False as well if it turns out not to be a
    message before there are: then protobuf comes no further."""
    count = position = 0
    open_ = [(len(content), shape)]
    try:
        while open_:
            end, shape = open_[-1]
            if position >= end:
                open_.pop()
                continue
            if count > most:
                return True
            tag, position = _varint(content, position)
            kind = tag & 7
            inner = shape.messages.get(tag >> 3)
            count += shape.plain if inner is None else shape.nested
            if kind == _SIZED:
                size, position = _varint(content, position)
                if inner is None:
                    position += size
                else:
                    open_.append((position + size, inner))
            elif kind == _VARINT:
                _, position = _varint(content, position)
            else:
                # Groups, which nothing has any more, begin and end without a length.
                position += _FIXED_BYTES.get(kind, 0)
    except IndexError:
        return False
    return count > most


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """The number at `position`, and where it ends."""
    value = content[position]
    position += 1
    if value < 0x80:
        return value, position
    value &= 0x7F
    for shift in range(7, 70, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return value, position

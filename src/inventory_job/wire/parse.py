"""Parses the bytes of a request; a limit on its number of values bounds the memory it takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from inventory_job.errors import InvalidRequest, invalid

AnyMessage = TypeVar("AnyMessage", bound=Message)

# The shortest field on the wire: a tag of one byte, and a length of 0.
_LEAST_BYTES = 2
_VARINT, _FIXED_64, _SIZED, _FIXED_32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED_64: 8, _FIXED_32: 4}


def bounded(kind: type[AnyMessage], most_values: int) -> Callable[[bytes], AnyMessage]:
    """A deserializer for `kind`: it raises InvalidRequest if the bytes hold more than `most_values`
    values, counting those in nested messages, and DecodeError if they are malformed."""
    # A parsed message takes up to forty times the memory of its bytes.
    fields = _shape(kind.DESCRIPTOR)

    def parse(content: bytes) -> AnyMessage:
        if len(content) > most_values * _LEAST_BYTES and _has_more(content, fields, most_values):
            reason = f"more than {most_values} values in one request"
            raise InvalidRequest(invalid("request", reason))
        return kind.FromString(content)

    return parse


_Shape = tuple[int, int, dict[int, Descriptor]]
"""How to count the values in a message type: 0 or 1 for each field of message type, 0 or 1 for each
scalar field; and the types of the message fields by field number."""


@cache
def _shape(descriptor: Descriptor) -> _Shape:
    # A map entry is one value with its key and content, and a Value is one with its scalar. A list
    # or struct in a Value counts, too: the bytes may repeat it, and each repetition takes memory.
    is_entry = descriptor.GetOptions().map_entry
    is_part = is_entry or descriptor.full_name == "google.protobuf.Value"
    messages = {
        each.number: each.message_type
        for each in descriptor.fields
        if each.message_type is not None
    }
    return int(not is_entry), int(not is_part), messages


def _has_more(content: bytes, shape: _Shape, most: int) -> bool:
    """Whether `content` has more than `most` values. Also False if it is malformed before it has
    that many: protobuf then fails at the same place."""
    count = position = 0
    open_ = [(len(content), shape)]
    try:
        while open_:
            end, (nested, plain, messages) = open_[-1]
            if position >= end:
                open_.pop()
                continue
            if count > most:
                return True
            tag, position = _varint(content, position)
            kind = tag & 7
            inner = messages.get(tag >> 3)
            count += plain if inner is None else nested
            if kind == _SIZED:
                size, position = _varint(content, position)
                if inner is None:
                    position += size
                else:
                    open_.append((position + size, _shape(inner)))
            elif kind == _VARINT:
                _, position = _varint(content, position)
            else:
                # The tags of deprecated groups have no length after them.
                position += _FIXED_BYTES.get(kind, 0)
    except IndexError:
        return False
    return count > most


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """The varint at `position`, and the position after it."""
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

"""Bytes of a request → message, bounded before it takes memory."""

from __future__ import annotations

from collections.abc import Callable
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


_Shape = tuple[int, int, dict[int, Descriptor]]
"""A message: for how many values each of its fields counts, those that are messages and the plain
ones, and the former's types by their numbers."""


@cache
def _shape(descriptor: Descriptor) -> _Shape:
    # What is in a Value, or in an entry of a map, has been counted with it; an entry has one
    # value, but a Value may be sent one list after the other, each of which takes memory.
    is_entry = descriptor.GetOptions().map_entry
    is_part = is_entry or descriptor.full_name == "google.protobuf.Value"
    messages = {
        each.number: each.message_type
        for each in descriptor.fields
        if each.message_type is not None
    }
    return int(not is_entry), int(not is_part), messages


def _has_more(content: bytes, shape: _Shape, most: int) -> bool:
    """Whether `content` has more than `most` values; False as well if it turns out not to be a
    message before there are: then protobuf comes no further."""
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

"""What the comments in proto/ say of the service's elements, for its description over HTTP.

Compiled modules hold no comments, the compiler's descriptors do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

# Members of descriptor.proto that hold elements with names, by the type of their parent.
_CHILDREN = {
    "FileDescriptorProto": ("message_type", "enum_type", "service"),
    "DescriptorProto": ("field", "nested_type", "enum_type", "oneof_decl"),
    "EnumDescriptorProto": ("value",),
    "ServiceDescriptorProto": ("method",),
}


def comments_of(descriptors: FileDescriptorSet) -> Mapping[str, str]:
    """The full name of each service, method, message, field, enum or enum value → its leading
    comment, where it has one."""
    return dict(pair for file in descriptors.file for pair in _of_file(file))


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    names = dict(_names(file, file.package, ()))
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        if name and location.leading_comments:
            yield name, _unwrapped(location.leading_comments)


def _names(parent: Any, name: str, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Path in the descriptor → full name, of all that is in `parent`."""
    for member in _CHILDREN.get(parent.DESCRIPTOR.name, ()):
        number = parent.DESCRIPTOR.fields_by_name[member].number
        for index, child in enumerate(getattr(parent, member)):
            at = (*path, number, index)
            yield at, f"{name}.{child.name}"
            yield from _names(child, f"{name}.{child.name}", at)


def _unwrapped(comment: str) -> str:
    """The paragraphs of a comment, each in one line."""
    paragraphs = "\n".join(line.strip() for line in comment.splitlines()).strip().split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)

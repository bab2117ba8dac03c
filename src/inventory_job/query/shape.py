"""What a compiled query is like, without what it asks for: for logs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_VALUE = "?"
_REFERENCE = re.compile(r"\$\$?[A-Za-z_][A-Za-z0-9_.]*")
_LONGEST = 1000


def shape(filter_: Mapping[str, Any], stages: Sequence[Mapping[str, Any]] = ()) -> str:
    """A filter and stages as JSON text with every value left out, cut after 1 000 characters.

    Names of fields and operators stay, and references to fields in stages; a list stands for its
    first item when all are alike.
    """
    parts: list[Any] = [_shape(filter_, is_filter=True)]
    parts += [_shape(stage, is_filter=False) for stage in stages]
    text = json.dumps(parts, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _shape(value: Any, *, is_filter: bool) -> Any:
    if isinstance(value, Mapping):
        # A caller's text is always a $literal in a stage, so what looks like a reference is one.
        if value.keys() == {"$literal"}:
            return _VALUE
        return {
            str(name): _shape(member, is_filter=is_filter or name == "$match")
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        shapes = [_shape(item, is_filter=is_filter) for item in value]
        return shapes[:1] if shapes and all(item == shapes[0] for item in shapes) else shapes
    if isinstance(value, str) and not is_filter and _REFERENCE.fullmatch(value):
        return value
    return _VALUE

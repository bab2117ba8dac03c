"""Where in a request something is, as refusals say it."""

from __future__ import annotations

import re
from typing import Any


def is_place(request: Any, path: str) -> bool:
    """Whether the path leads through the request; its last member may be what is missing."""
    parts = re.findall(r"\[(\d+)\]|\[('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\]|([^.\[\]]+)", path)
    value = request
    for position, (index, quoted, name) in enumerate(parts):
        last = position == len(parts) - 1
        if index:
            if not isinstance(value, list) or int(index) >= len(value):
                return False
            value = value[int(index)]
            continue
        member = name or quoted[1:-1].encode().decode("unicode_escape")
        if not isinstance(value, dict):
            return False
        if member not in value:
            return last
        value = value[member]
    return bool(parts)

"""From pydantic's findings to the problems of the interface.

Validators of this package raise `fault(...)`, or a ValueError with a reason fit for callers;
`problems_of` turns everything pydantic collected, its own findings included, into `Problem`s with
paths as the caller wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from inventory_job.errors import Code, Problem, invalid, required, wrong_type

Location = tuple[int | str, ...]
Finding = tuple[Location, PydanticCustomError]
"""A fault, and where it is below the value under validation."""

_Given = TypeVar("_Given")
_Parsed = TypeVar("_Parsed")

_EXPECTED = {
    "string_type": "string",
    "bool_type": "boolean",
    "int_type": "integer",
    "tuple_type": "list",
    "dict_type": "dictionary",
    "model_type": "dictionary",
}
_OPERATOR_SENTENCES = {
    Code.OPERATOR_VALUE_TYPE: "does not support list type",
    Code.OPERATOR_LIST_VALUE_TYPE: "must be a list type",
    Code.OPERATOR_DICT_VALUE_TYPE: "must be a dictionary type",
    Code.OPERATOR_BOOLEAN_TYPE: "must be a boolean type",
}


def fault(
    reason: str, code: Code = Code.INVALID_PARAMETER, key: str | None = None
) -> PydanticCustomError:
    """A finding for a validator to raise.

    `reason` is the part of the sentence that `code` leaves open: the reason, the expected type
    or the operator's name; `key` is what the sentence calls the field when the interface fixes
    that (docs/errors.md), else its path.
    """
    return PydanticCustomError(code.value, "{reason}", {"reason": reason, "key": key})


def missing(key: str | None = None) -> PydanticCustomError:
    """The finding that a parameter must be given."""
    return fault("", Code.REQUIRED_PARAMETER, key)


def raise_any(found: Iterable[Finding]) -> None:
    """Raises the findings together, if there are any."""
    lines = [InitErrorDetails(type=error, loc=where, input=None) for where, error in found]
    if lines:
        raise ValidationError.from_exception_data("value", lines)


def gather(
    values: Iterable[tuple[int | str, _Given]], parse: Callable[..., _Parsed], *arguments: Any
) -> list[_Parsed]:
    """What `parse` makes of each value, given with its place, and the `arguments`; raises the
    findings of all together."""
    parsed: list[_Parsed] = []
    found: list[Finding] = []
    for where, value in values:
        try:
            parsed.append(parse(value, *arguments))
        except PydanticCustomError as error:
            found.append(((where,), error))
        except ValidationError as error:
            for details in error.errors(include_url=False, include_input=False):
                same = PydanticCustomError(details["type"], "{reason}", details["ctx"])
                found.append(((where, *details["loc"]), same))
    raise_any(found)
    return parsed


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Every finding of `error` as a Problem, in the order of the request's fields."""
    return tuple(
        _problem(details) for details in error.errors(include_url=False, include_input=False)
    )


def path_of(location: Iterable[int | str]) -> str:
    """`("query", "filter", 2, "k")` → `query.filter[2].k`; other than plain names quoted."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.replace("-", "_").isidentifier():
            path += f".{part}" if path else part
        else:
            shown = part if len(part) <= 60 else part[:59] + "…"
            path += f"[{shown!r}]"
    return path


def _problem(details: ErrorDetails) -> Problem:
    kind = details["type"]
    # A finding on a dictionary's key is reported at the member of that name.
    path = path_of(part for part in details["loc"] if part != "[key]")
    context: dict[str, Any] = details.get("ctx", {})
    reason, key = context.get("reason", ""), context.get("key")
    if kind in {"missing", Code.REQUIRED_PARAMETER}:
        return required(path, key)
    if kind in _EXPECTED or kind == Code.INVALID_PARAMETER_TYPE:
        return wrong_type(path, _EXPECTED.get(kind, reason), key)
    if kind in _OPERATOR_SENTENCES:
        sentence = _OPERATOR_SENTENCES[Code(kind)]
        message = f"The value of '{reason} operator' {sentence}. ({path})"
        return Problem(Code(kind), path, message)
    if kind == Code.PERMISSION_DENIED:
        return Problem(Code.PERMISSION_DENIED, path, reason)
    if kind == "extra_forbidden":
        reason = "there is no such parameter here"
    elif kind == "value_error":
        reason = str(context["error"])
    elif kind != Code.INVALID_PARAMETER:
        reason = details["msg"][:1].lower() + details["msg"][1:]
    return invalid(path, reason, key)

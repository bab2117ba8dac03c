"""Converts the validation errors that pydantic collects to `Problem`s, which callers see.

Validators of this package raise `fault(...)`, or a ValueError with a reason fit for callers.
`problems_of` converts these and pydantic's own errors; each Problem has the path of its value as
the caller wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from inventory_job.errors import Code, Problem, invalid, required, wrong_type

Location = tuple[int | str, ...]
Finding = tuple[Location, PydanticCustomError]
"""A location relative to the value under validation, and the fault there."""

_Given = TypeVar("_Given")
_Parsed = TypeVar("_Parsed")

_EXPECTED = {
    "string_type": "string",
    "bool_type": "boolean",
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
    """An error for a validator to raise.

    `reason` completes the message of `code`: it is the reason, the expected type or the operator's
    name. `key` is the name of the field in the message where the API fixes that name
    (docs/errors.md); the default is the field's path.
    """
    return PydanticCustomError(code.value, "{reason}", {"reason": reason, "key": key})


def missing(key: str | None = None) -> PydanticCustomError:
    """An error for a validator to raise: a required parameter is missing."""
    return fault("", Code.REQUIRED_PARAMETER, key)


def raise_any(found: Iterable[Finding]) -> None:
    """Raises all findings as one ValidationError; does nothing if there are none."""
    lines = [InitErrorDetails(type=error, loc=where, input=None) for where, error in found]
    if lines:
        raise ValidationError.from_exception_data("value", lines)


def gather(
    values: Iterable[tuple[int | str, _Given]], parse: Callable[..., _Parsed], *arguments: Any
) -> list[_Parsed]:
    """Calls `parse(value, *arguments)` for each (location, value) pair and returns the results;
    raises the faults of all values as one ValidationError."""
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
    """Each error in `error` as a Problem, in the order of the request's fields."""
    return tuple(
        _problem(details) for details in error.errors(include_url=False, include_input=False)
    )


def path_of(location: Iterable[int | str]) -> str:
    """`("query", "filter", 2, "k")` → `query.filter[2].k`; names such as `a.b` are quoted."""
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
    # pydantic appends "[key]" to the location of an error in a dictionary's key.
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
    if kind == "extra_forbidden":
        reason = "there is no such parameter here"
    elif kind == "value_error":
        reason = str(context["error"])
    elif kind != Code.INVALID_PARAMETER:
        reason = details["msg"][:1].lower() + details["msg"][1:]
    return invalid(path, reason, key)

"""From pydantic's findings to the problems of the interface.

Validators of this package raise `fault(...)`; `problems_of` turns everything pydantic collected,
its own findings included, into `Problem`s with paths as the caller wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from inventory_job.errors import Code, Problem, invalid, required, wrong_type

Location = tuple[int | str, ...]
Given = TypeVar("Given")
Parsed = TypeVar("Parsed")

_EXPECTED = {
    "string_type": "string",
    "bool_type": "boolean",
    "int_type": "integer",
    "tuple_type": "list",
    "dict_type": "dictionary",
    "model_type": "dictionary",
}
_OWN = frozenset(code.value for code in Code)
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


def faults(found: Iterable[tuple[Location, PydanticCustomError]]) -> ValidationError:
    """Several findings, each located below the value under validation, to raise together."""
    lines = [InitErrorDetails(type=error, loc=where, input=None) for where, error in found]
    return ValidationError.from_exception_data("value", lines)


def raise_any(found: Iterable[tuple[Location, PydanticCustomError]]) -> None:
    """Raises the findings together, if there are any."""
    lines = list(found)
    if lines:
        raise faults(lines)


def gather(
    values: Iterable[tuple[Location, Given]], parse: Callable[[Given], Parsed]
) -> list[Parsed]:
    """Parses every value, each given with its location; raises the findings of all together."""
    parsed: list[Parsed] = []
    found: list[tuple[Location, PydanticCustomError]] = []
    for where, value in values:
        try:
            parsed.append(parse(value))
        except PydanticCustomError as error:
            found.append((where, error))
        except ValidationError as error:
            for details in error.errors(include_url=False, include_input=False):
                reason, key = details["ctx"]["reason"], details["ctx"]["key"]
                same = fault(reason, Code(details["type"]), key)
                found.append(((*where, *details["loc"]), same))
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
            path += f"[{_shortened(part)!r}]"
    return path


def _shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _problem(details: ErrorDetails) -> Problem:
    kind = details["type"]
    # A finding on a dictionary's key is reported at the member of that name.
    path = path_of(part for part in details["loc"] if part != "[key]")
    context: dict[str, Any] = details.get("ctx", {})
    if kind in _OWN:
        return _own_problem(Code(kind), path, context["reason"], context["key"])
    if kind == "missing":
        return required(path)
    if kind == "extra_forbidden":
        return invalid(path, "there is no such parameter here")
    if kind in _EXPECTED:
        return wrong_type(path, _EXPECTED[kind])
    message = details["msg"]
    return invalid(path, message[:1].lower() + message[1:])


def _own_problem(code: Code, path: str, reason: str, key: str | None) -> Problem:
    if code is Code.REQUIRED_PARAMETER:
        return required(path, key)
    if code is Code.INVALID_PARAMETER_TYPE:
        return wrong_type(path, reason, key)
    if code in _OPERATOR_SENTENCES:
        sentence = f"The value of '{reason} operator' {_OPERATOR_SENTENCES[code]}. ({path})"
        return Problem(code, path, sentence)
    if code is Code.PERMISSION_DENIED:
        return Problem(code, path, reason)
    return invalid(path, reason, key)

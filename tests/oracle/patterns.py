"""Text matching as MongoDB's regular expressions do it: unanchored, ignoring case.

The database runs PCRE, this runs Python's `re`. Only what both are known to read alike is
decided; the rest raises `NotEvaluable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from .values import NotEvaluable

TextTest = Callable[[str], bool]

_SHARED_SYNTAX: Final = re.compile(
    r"""(?: [^\\\[\](){}*+?|^$]                            # a character, or the dot
          | \\[dDwWsSb]                                    # a class or a word boundary
          | \\[^\sA-Za-z0-9_]                              # an escaped sign
          | \[\^?(?:[^\\\[\]^]|\\[dDwWsS]|\\[^\sA-Za-z0-9_])+\]
          | \(\?: | \((?!\?) | \) | [|^$] | [*+?]\?? | \{\d{1,3}(?:,\d{0,3})?\}\??
        )*""",
    re.VERBOSE | re.DOTALL,
)
_CLASS_ESCAPE: Final = re.compile(r"\\[dDwWsSb]")
_SET_OPERATION: Final = re.compile(r"--|&&|\|\||~~")
_DOTLESS_OR_DOTTED_I: Final = "\u0130\u0131"
_LAST_LATIN_LETTER: Final = 0x24F


def containing(text: str) -> TextTest:
    """A test for texts that have this one in them, taken literally."""
    return _search(re.escape(text), re.IGNORECASE, text)


def matching(pattern: str) -> TextTest:
    """A test for texts in which the regular expression finds something."""
    if _SHARED_SYNTAX.fullmatch(pattern) is None or _SET_OPERATION.search(pattern):
        raise NotEvaluable(f"a pattern that two dialects may read differently: {pattern!r}")
    if _CLASS_ESCAPE.search(pattern) is None:
        return _search(pattern, re.IGNORECASE, pattern)
    inner = _search(pattern, re.IGNORECASE | re.ASCII, pattern)

    def test(text: str) -> bool:
        if not (pattern + text).isascii():
            raise NotEvaluable("character classes over text beyond ASCII")
        return inner(text)

    return test


def _search(pattern: str, flags: re.RegexFlag, source: str) -> TextTest:
    try:
        compiled = re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise NotEvaluable(f"not a pattern: {pattern!r}") from error
    _require_agreed_case(source)

    def test(text: str) -> bool:
        _require_agreed_case(text)
        return compiled.search(text) is not None

    return test


def _require_agreed_case(text: str) -> None:
    if text.isascii():
        return
    for sign in text:
        if sign in _DOTLESS_OR_DOTTED_I or (
            ord(sign) > _LAST_LATIN_LETTER and sign.lower() != sign.upper()
        ):
            raise NotEvaluable(f"Unicode versions differ on the case of {sign!r}")

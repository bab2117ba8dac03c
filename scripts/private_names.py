"""Finds private names of libraries in the package where ruff does not look. Ruff reports attributes
of other objects (SLF001) and modules that are not documented (TID251, in pyproject.toml).

A private attribute of `self`, `cls` or `super()` is the package's own where some module of it
defines the name; a keyword, or a name in text, where the same module does. A class must not define
a private name that its base from a library has: that would replace it. Prints one line for each
finding; exit status 1 if there are some.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PACKAGE = "inventory_job"
ROOT = Path(__file__).parents[1] / "src" / PACKAGE

_BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller"}


def is_private(name: str) -> bool:
    """Whether a name is private by convention; those of the language (`__name__`) are not."""
    is_of_language = name.startswith("__") and name.endswith("__")
    return name.startswith("_") and name != "_" and not is_of_language


def defined(tree: ast.AST) -> set[str]:
    """The names that a module defines: variables, functions, classes, parameters, attributes."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node):
            found.add(node.attr)
    return found


def findings(sources: Mapping[str, str]) -> Iterator[str]:
    """What is wrong in these modules, by path: `path:line: sentence`."""
    trees = {path: ast.parse(text) for path, text in sources.items()}
    own = set[str]().union(*map(defined, trees.values()))
    for path, tree in trees.items():
        for line, sentence in sorted(_Module(tree, own).findings()):
            yield f"{path}:{line}: {sentence}"


class _Module:
    """One module; `own` is what all modules of the package define."""

    def __init__(self, tree: ast.Module, own: Iterable[str]) -> None:
        self._tree = tree
        self._own = frozenset(own)
        self._defined = defined(tree)
        self._imported: dict[str, str] = {}
        """Local name → what it is, of all that is imported."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    target = name.name if name.asname else name.name.partition(".")[0]
                    self._imported[name.asname or target] = target
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    self._imported[name.asname or name.name] = f"{node.module}.{name.name}"

    def findings(self) -> Iterator[tuple[int, str]]:
        for node in ast.walk(self._tree):
            for sentence in self._of(node):
                yield getattr(node, "lineno", 0), sentence

    def _of(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for name in node.names:
                yield from _module_findings(f"{module}{name.name}")
        elif isinstance(node, ast.Attribute) and _is_self(node):
            if is_private(node.attr) and node.attr not in self._own:
                yield f"the attribute {node.attr} is private"
        elif isinstance(node, ast.keyword):
            if node.arg and is_private(node.arg) and node.arg not in self._defined:
                yield f"the keyword {node.arg} is private"
        elif isinstance(node, ast.Call):
            yield from self._of_call(node)
        elif isinstance(node, ast.ClassDef):
            yield from self._of_class(node)

    def _of_call(self, node: ast.Call) -> Iterator[str]:
        function = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        function = node.func.id if isinstance(node.func, ast.Name) else function
        texts = [
            argument.value
            for argument in node.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        ]
        if function in _BY_NAME:
            for text in texts:
                if is_private(text) and text not in self._defined:
                    yield f"the attribute {text} is private"
        elif function == "import_module":
            for text in texts:
                yield from _module_findings(text)

    def _of_class(self, node: ast.ClassDef) -> Iterator[str]:
        private = {name for name in defined(node) if is_private(name)}
        for base in node.bases:
            name = self._full_name(base.value if isinstance(base, ast.Subscript) else base)
            if name and name.partition(".")[0] not in {PACKAGE, *sys.stdlib_module_names}:
                for attribute in sorted(private & set(dir(_loaded(name)))):
                    yield f"{node.name} replaces the private attribute {attribute} of {name}"

    def _full_name(self, node: ast.expr) -> str | None:
        """`package.module.name` of an expression like `module.name`, if it is imported."""
        if isinstance(node, ast.Name):
            return self._imported.get(node.id)
        if isinstance(node, ast.Attribute) and (before := self._full_name(node.value)):
            return f"{before}.{node.attr}"
        return None


def _is_self(node: ast.Attribute) -> bool:
    owner = node.value.func if isinstance(node.value, ast.Call) else node.value
    return isinstance(owner, ast.Name) and owner.id in {"self", "cls", "super"}


def _module_findings(name: str) -> Iterator[str]:
    """What is wrong with importing a module, or a name from it."""
    if name.partition(".")[0] != "__future__" and any(map(is_private, name.split("."))):
        yield f"{name} is private"


def _loaded(name: str) -> object:
    """A class of a library by its full name."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def main() -> int:
    paths = [path for path in sorted(ROOT.rglob("*.py")) if ROOT / "stubs" not in path.parents]
    root = ROOT.parents[1]
    sources = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in paths}
    found = list(findings(sources))
    print(*found, f"{len(found)} private names in {len(paths)} files", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

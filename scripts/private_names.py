"""Finds what the package takes of libraries although they do not offer it: names that begin with an
underscore, and modules that their documentation does not have.

An attribute `x._name` is the package's own where the same module defines `_name`, or where `x` is
`self` or `cls` and some module of the package does; a keyword is its own where the same module has
a parameter of that name. A class must not define a private name that its base from a library has:
that would replace it. Prints one line for each finding; exit status 1 if there are some.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PACKAGE = "inventory_job"
ROOT = Path(__file__).parents[1] / "src" / PACKAGE

UNDOCUMENTED = (
    "google.protobuf.internal",
    "google.protobuf.pyext",
    "grpc.framework",
    "mongoengine.common",
    "prometheus_client.metrics_core",
    "prometheus_client.mmap_dict",
    "prometheus_client.values",
    "pymongo.asynchronous.helpers",
    "pymongo.asynchronous.pool",
    "pymongo.asynchronous.server",
    "pymongo.asynchronous.topology",
    "pymongo.compression_support",
    "pymongo.daemon",
    "pymongo.helpers_shared",
    "pymongo.message",
    "pymongo.network_layer",
    "pymongo.pool_options",
    "pymongo.pool_shared",
    "pymongo.ssl_context",
    "pymongo.ssl_support",
    # It is documented as pymongo itself.
    "pymongo.synchronous",
    "uvicorn.lifespan",
    "uvicorn.loops",
    "uvicorn.protocols",
    "uvicorn.supervisors",
)
"""Modules of libraries in whose documentation they are not, with all that is in them."""

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
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _module_findings(name.name)
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield from _module_findings(f"{node.module}.{name.name}")
        elif isinstance(node, ast.Attribute):
            yield from self._of_attribute(node)
        elif isinstance(node, ast.keyword):
            if node.arg and is_private(node.arg) and node.arg not in self._defined:
                yield f"the keyword {node.arg} is private"
        elif isinstance(node, ast.Call):
            yield from self._of_call(node)
        elif isinstance(node, ast.ClassDef):
            yield from self._of_class(node)

    def _of_attribute(self, node: ast.Attribute) -> Iterator[str]:
        known = self._own if _is_self(node) else self._defined
        if is_private(node.attr) and node.attr not in known:
            yield f"the attribute {node.attr} is private"
        if (full := self._full_name(node)) in UNDOCUMENTED:
            yield f"the module {full} is not documented"

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
    return isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}


def _module_findings(name: str) -> Iterator[str]:
    """What is wrong with importing a module, or a name from it."""
    if name.partition(".")[0] == "__future__":
        return
    if any(map(is_private, name.split("."))):
        yield f"{name} is private"
    if any(f"{name}.".startswith(f"{module}.") for module in UNDOCUMENTED):
        yield f"{name} is not documented"


def _loaded(name: str) -> object:
    """A class of a library by its full name."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def main() -> int:
    paths = [path for path in sorted(ROOT.rglob("*.py")) if ROOT / "stubs" not in path.parents]
    root = ROOT.parents[1]
    sources = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in paths}
    found = list(findings(sources))
    print(*found, f"{len(found)} private or undocumented names in {len(paths)} files", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

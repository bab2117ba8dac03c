"""Finds dependencies in pyproject.toml that are not used.

Those of the program and of its extras have to be imported, or looked up by name, in src/. Those for
development may also be so in tests/ and scripts/, run as a command there or in .ci/, build the
project, be pytest's plugins, or hold the types of what is imported. What a dependency brings is
read from its installed metadata; what is for other platforms is not looked at. Prints one line for
each that is not used; exit status 1 if there are some.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

KEPT = {
    "editables": "an editable installation imports it",
    "mypy-protobuf": "protoc runs its plugin for --mypy_out",
}
"""Dependencies that are used in a way that cannot be seen here, and how."""

_LOOK_UPS = {"find_spec", "import_module", "importorskip"}


@dataclass(frozen=True, slots=True)
class Brings:
    """What a distribution brings: modules by full name, commands, whether plugins of pytest."""

    name: str
    modules: frozenset[str]
    commands: frozenset[str] = frozenset()
    is_plugin: bool = False


@dataclass(frozen=True, slots=True)
class Uses:
    """What files use: modules and names in them by full name, names looked up, and their text."""

    imported: frozenset[str]
    looked_up: frozenset[str]
    text: str


def uses(sources: Iterable[tuple[str, str]]) -> Uses:
    """What files with these (name, text) use; only those that end in `.py` have imports."""
    imported: set[str] = set()
    looked_up: set[str] = set()
    texts: list[str] = []
    for name, text in sources:
        texts.append(text)
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(text)):
                imported.update(_imported(node))
                looked_up.update(_looked_up(node))
    return Uses(frozenset(imported), frozenset(looked_up), "\n".join(texts))


def is_imported(brings: Brings, used: Uses) -> bool:
    """Whether a module of the distribution, or the package it is in, is imported or looked up."""
    if brings.modules & (used.imported | used.looked_up):
        return True
    return any(
        module.startswith(f"{name}.") for name in used.looked_up for module in brings.modules
    )


def is_run(brings: Brings, used: Uses) -> bool:
    """Whether a command of the distribution, or a module as one, is run: `bin/name`, `"name"`,
    `-m name` or `"-m", "name"`."""
    commands = "|".join(map(re.escape, sorted(brings.commands))) or "(?!)"
    modules = "|".join(map(re.escape, sorted(brings.modules))) or "(?!)"
    run = rf'bin/({commands})(?![\w-])|"({commands})"|-m"?,? "?({modules})(?![\w.-])'
    return re.search(run, used.text) is not None


def brought_by(found: Distribution) -> Brings:
    """What an installed distribution brings."""
    modules: set[str] = set()
    commands: set[str] = set()
    for file in found.files or ():
        if file.parts[0] == "..":
            commands.add(file.name)
        elif file.suffix in {".py", ".pyi", ".so"}:
            parts = [*file.parent.parts, file.name.partition(".")[0]]
            # The types of a package are in one named for it.
            parts[0] = parts[0].removesuffix("-stubs")
            modules.add(".".join(parts).removesuffix(".__init__"))
    groups = {entry.group for entry in found.entry_points}
    commands |= {each.name for each in found.entry_points if each.group == "console_scripts"}
    return Brings(found.name, frozenset(modules), frozenset(commands), "pytest11" in groups)


def unused(project: dict[str, Any], source: Uses, everything: Uses) -> Iterator[str]:
    """The dependencies that are not used, by what `src` uses and by what all files do."""
    extras = project["project"].get("optional-dependencies", {})
    runtime = [
        project["project"]["dependencies"],
        *(extras[name] for name in extras.keys() - {"dev", "mutation"}),
    ]
    for brings in _installed(text for group in runtime for text in group):
        if not is_imported(brings, source):
            yield f"{brings.name} is not imported in src"
    build = {Requirement(text).name for text in project["build-system"]["requires"]}
    for brings in _installed(extras.get("dev", ())):
        is_used = is_imported(brings, everything) or is_run(brings, everything)
        if not (is_used or brings.is_plugin or brings.name in build | KEPT.keys()):
            yield f"{brings.name} is not used in development"


def _installed(requirements: Iterable[str]) -> Iterator[Brings]:
    for requirement in map(Requirement, requirements):
        is_for_here = requirement.marker is None or requirement.marker.evaluate()
        if is_for_here and not requirement.extras:
            yield brought_by(distribution(requirement.name))


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{name.name}" for name in node.names)


def _looked_up(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _LOOK_UPS:
        for argument in node.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def _files(*folders: str) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            is_program = path.suffix in {"", ".py", ".sh"} and "static" not in path.parts
            if path.is_file() and is_program:
                yield path.name, path.read_text(encoding="utf-8")


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    everything = uses(_files("src", "tests", "scripts", ".ci"))
    found = list(unused(project, uses(_files("src")), everything))
    print(*found, f"{len(found)} dependencies are not used", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The check for dependencies that are not used."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import unused_dependencies
from unused_dependencies import Brings, Uses, is_imported, is_run, unused, uses

STATUS = Brings("common-protos", frozenset({"google.rpc.status_pb2", "google.rpc.code_pb2"}))
TOOL = Brings("tool", frozenset({"tool", "tool.cli"}), frozenset({"tool", "a-tool"}))
PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def of(text: str, name: str = "a.py") -> Uses:
    return uses([(name, text)])


@pytest.mark.parametrize(
    "text",
    [
        "import google.rpc.status_pb2",
        "from google.rpc import status_pb2",
        "from google.rpc.status_pb2 import Status",
        "def f():\n    from google.rpc import code_pb2 as code",
        "import_module('google.rpc.code_pb2')",
        "importlib.util.find_spec('google')",
    ],
)
def test_a_module_that_is_imported_or_looked_up_is_used(text: str) -> None:
    assert is_imported(STATUS, of(text))


@pytest.mark.parametrize(
    "text",
    [
        "from google.protobuf import struct_pb2",
        "import google.protobuf.struct_pb2",
        "from . import status_pb2",
        "'import google.rpc.status_pb2'",
        "print('google.rpc.code_pb2')",
    ],
)
def test_another_module_of_the_same_namespace_is_not(text: str) -> None:
    assert not is_imported(STATUS, of(text))


@pytest.mark.parametrize(
    "text", [".venv/bin/tool x", "exec .venv/bin/a-tool", "python -m tool.cli", '"-m", "tool"']
)
def test_a_command_that_is_run_is_used(text: str) -> None:
    assert is_run(TOOL, of(text, "script"))


def test_a_command_may_be_named_in_a_program() -> None:
    assert is_run(TOOL, of('subprocess.run([folder / "a-tool"])'))


@pytest.mark.parametrize(
    "text", ["# a tool", ".venv/bin/tool-kit", "-m toolkit", "-m tool.other", "tool", "'-m'"]
)
def test_a_word_is_no_command(text: str) -> None:
    assert not is_run(TOOL, of(text, "script"))


def project(**changes: Any) -> dict[str, Any]:
    return {
        "build-system": {"requires": ["hatchling>=1"]},
        "project": {"dependencies": [], "optional-dependencies": {}, **changes},
    }


def test_a_dependency_that_only_tests_use_is_none_of_the_program() -> None:
    needs = project(dependencies=["pymongo>=4"])

    assert list(unused(needs, of(""), of("import pymongo"))) == ["pymongo is not imported in src"]
    assert list(unused(needs, of("import bson"), of(""))) == []


def test_a_dependency_for_development_is_used_anywhere() -> None:
    needs = project(**{"optional-dependencies": {"dev": ["mongomock", "ruff", "hatchling"]}})

    assert list(unused(needs, of(""), of("import mongomock"))) == [
        "ruff is not used in development"
    ]
    assert list(unused(needs, of(""), of('import mongomock\n".venv/bin/ruff"'))) == []


def test_types_are_used_where_what_they_describe_is() -> None:
    needs = project(**{"optional-dependencies": {"dev": ["types-pyyaml"]}})

    assert list(unused(needs, of(""), of("import yaml"))) == []
    assert list(unused(needs, of(""), of(""))) == ["types-PyYAML is not used in development"]


def test_a_dependency_of_another_platform_is_not_looked_at() -> None:
    needs = project(dependencies=["no-such-package; sys_platform == 'none'"])

    assert list(unused(needs, of(""), of(""))) == []


def test_all_dependencies_of_the_project_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert unused_dependencies.main() == 0, capsys.readouterr().out


def test_what_is_said_to_be_used_unseen_is_a_dependency() -> None:
    dev = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]["dev"]

    for name in unused_dependencies.KEPT:
        assert any(each.startswith(name) for each in dev)

"""The check for what the package takes of libraries although they do not offer it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import private_names
import pytest
from private_names import findings

ROOT = Path(__file__).parents[3]

GOOD = [
    "import pymongo\npymongo.MongoClient().list_database_names()",
    "from pymongo.asynchronous.collection import AsyncCollection",
    "class A:\n    def __init__(self):\n        self._x = 1\n        print(self._x)",
    "class A:\n    def _other(self, other):\n        return other._other(self)",
    "_LIMIT = 1\ndef f():\n    return _LIMIT",
    "def f(_x):\n    pass\nf(_x=1)",
    "import sys\nsys.__stdout__\n[_ for _ in ()]",
    "getattr(object, '__doc__')\ngetattr(object, 'name')",
    "from importlib import import_module\nimport_module('pymongo.errors')",
    "import uvicorn\nclass A(uvicorn.Server):\n    _mine = 1",
]
BAD = [
    ("import grpc._channel", "grpc._channel is private"),
    ("from grpc import _channel", "grpc._channel is private"),
    ("from grpc._cython import cygrpc", "grpc._cython.cygrpc is private"),
    ("class A:\n    def f(self):\n        return self._meta", "the attribute _meta is private"),
    ("class A:\n    def f(self):\n        return super()._run()", "the attribute _run is private"),
    ("import x\nx.f(_y=1)", "the keyword _y is private"),
    ("import x\ngetattr(x, '_y')", "the attribute _y is private"),
    ("import importlib\nimportlib.import_module('grpc._channel')", "grpc._channel is private"),
    (
        "import mongoengine\nclass A(mongoengine.Document):\n    def _get_collection(self): ...",
        "A replaces the private attribute _get_collection of mongoengine.Document",
    ),
    (
        "from mongoengine import Document\nclass A(Document):\n    _get_db = None",
        "A replaces the private attribute _get_db of mongoengine.Document",
    ),
]


@pytest.mark.parametrize("text", GOOD)
def test_what_is_the_packages_own_or_public_is_allowed(text: str) -> None:
    assert list(findings({"a.py": text})) == []


@pytest.mark.parametrize(("text", "sentence"), BAD)
def test_what_is_private_is_found(text: str, sentence: str) -> None:
    found = list(findings({"a.py": text}))

    assert len(found) == 1
    assert found[0].startswith("a.py:")
    assert found[0].endswith(sentence)


def test_an_attribute_may_be_that_of_a_base_in_another_module() -> None:
    base = "class Base:\n    def __init__(self):\n        self._x = 1"
    derived = "from inventory_job.a import Base\nclass A(Base):\n    def f(self): return self._x"

    assert list(findings({"a.py": base, "b.py": derived})) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("import grpc\ngrpc._channel.Channel()", "SLF001"),
        ("import x\nx.f()._y = 1", "SLF001"),
        ("import uvicorn.protocols.utils", "TID251"),
        ("from uvicorn import protocols", "TID251"),
        ("from pymongo.synchronous.cursor import Cursor", "TID251"),
        ("import uvicorn\nuvicorn.protocols.http()", "TID251"),
    ],
)
def test_ruff_finds_attributes_of_other_objects_and_modules_without_documentation(
    text: str, rule: str
) -> None:
    options = ["check", "--quiet", "--no-cache", f"--select={rule}", "--output-format=concise"]

    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            *options,
            "--stdin-filename=src/inventory_job/settings.py",
            "-",
        ],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (checked.returncode, checked.stdout.count("settings.py")) == (1, 1)


def test_the_package_takes_nothing_private(capsys: pytest.CaptureFixture[str]) -> None:
    assert private_names.main() == 0, capsys.readouterr().out

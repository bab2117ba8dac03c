"""Generate src/inventory_job/stubs from proto/, or check that it is fresh.

The compiler writes modules of the top-level packages `spaceone`, which belongs to another
distribution, and `inventory_job`, which is not where they go; so every mention of a module of ours
gets the prefix `inventory_job.stubs.`, also where protobuf gets the module's name, as pickling
looks classes up by it. The description of the service over HTTP is written beside them: it holds
what the comments say, which modules leave out.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import sysconfig
import tempfile
from difflib import unified_diff
from importlib.resources import files
from pathlib import Path

import openapi
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
STUBS = ROOT / "src" / "inventory_job" / "stubs"

# The compiler writes a module as `from a.b import c_pb2` and, for protobuf, as 'a.b.c_pb2'; the
# descriptor itself names files (a/b/c.proto) and must stay as it is.
OURS = re.compile(
    r"(?<=^from )(?=(?:spaceone|inventory_job)\.)"
    r"|(?<=')(?=(?:spaceone|inventory_job)\.[\w.]+_pb2')",
    re.MULTILINE,
)
PACKAGE_DOC = '"""Generated from proto/ by scripts/generate; never edited by hand."""\n'
SHOWN_LINES = 20


def compile_protos(into: Path, descriptors: Path) -> None:
    """Write all modules and their type stubs below `into`, named as the compiler names them, and
    the descriptors with their comments to the file `descriptors`.

    Ends the program when the compiler reports an error; it has said what on stderr.
    """
    google_api = Path(str(files("google.api").joinpath("annotations.proto"))).parents[2]
    plugins = Path(sysconfig.get_path("scripts"))
    suffix = ".exe" if sys.platform == "win32" else ""
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTO}",
            f"--proto_path={google_api}",
            f"--proto_path={files('grpc_tools').joinpath('_proto')}",
            f"--plugin=protoc-gen-mypy={plugins / f'protoc-gen-mypy{suffix}'}",
            f"--plugin=protoc-gen-mypy_grpc={plugins / f'protoc-gen-mypy_grpc{suffix}'}",
            f"--python_out={into}",
            f"--grpc_python_out={into}",
            f"--mypy_out=quiet:{into}",
            f"--mypy_grpc_out=quiet,only_sync:{into}",
            f"--descriptor_set_out={descriptors}",
            "--include_imports",
            "--include_source_info",
            *sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto")),
        ]
    )
    if status != 0:
        sys.exit(f"The compiler failed with status {status}.")


def generate(into: Path) -> None:
    """Write the whole stubs package to the empty directory `into`."""
    with tempfile.TemporaryDirectory() as aside:
        compiled = Path(aside) / "descriptors"
        compile_protos(into, compiled)
        descriptors = FileDescriptorSet.FromString(compiled.read_bytes())
    described = openapi.openapi_json(descriptors)
    (into / openapi.FILE_NAME).write_text(described, encoding="utf-8", newline="\n")
    for path in sorted(into.rglob("*.py*")):
        text = path.read_text(encoding="utf-8")
        path.write_text(OURS.sub("inventory_job.stubs.", text), encoding="utf-8", newline="\n")
    for folder in (into, *(path for path in into.rglob("*") if path.is_dir())):
        (folder / "__init__.py").write_text(PACKAGE_DOC, encoding="utf-8", newline="\n")


def contents(folder: Path) -> dict[str, str]:
    """Text of every file below `folder` by its relative path, without what Python caches."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(found: dict[str, str], fresh: dict[str, str]) -> list[str]:
    """What has to change to make `found` fresh, for a person to read; empty when nothing has."""
    report: list[str] = []
    for name in sorted(found.keys() | fresh.keys()):
        if name not in fresh:
            report.append(f"surplus: {name}")
        elif name not in found:
            report.append(f"missing: {name}")
        elif found[name] != fresh[name]:
            diff = list(
                unified_diff(found[name].splitlines(), fresh[name].splitlines(), lineterm="", n=0)
            )
            report.append(f"changed: {name}")
            report.extend(f"    {line[:120]}" for line in diff[2 : 2 + SHOWN_LINES])
    return report


def replace(fresh: Path) -> None:
    """Put the package in `fresh` in the place of the checked-in one."""
    if STUBS.exists():
        shutil.rmtree(STUBS)
    shutil.copytree(fresh, STUBS)


def main() -> int:
    """Return the exit status: 1 when `--check` finds the checked-in stubs out of date."""
    parser = argparse.ArgumentParser(description="Generate the Python stubs from proto/.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if the stubs are out of date"
    )
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        report = differences(contents(STUBS), contents(fresh))
        if report and not check:
            replace(fresh)
    if check and report:
        sys.stderr.write("The stubs are out of date; run scripts/generate.\n")
    sys.stdout.writelines(f"{line}\n" for line in report)
    return 1 if check and report else 0


if __name__ == "__main__":
    sys.exit(main())

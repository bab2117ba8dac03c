"""The contract is the published one, and it ships with the distribution.

Within one process both packages share one descriptor, or the second import fails; so equality is
shown by processes that load one package each.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
OURS = "inventory_job.stubs.spaceone.api"
PUBLISHED = "spaceone.api"
MODULES = ["inventory.v1.job_pb2", "core.v2.query_pb2", "core.v1.server_info_pb2"]
STUBS = ROOT / "src" / "inventory_job" / "stubs"


def python(program: str) -> str:
    """Run `program` in an interpreter of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def descriptor_in_own_process(module: str) -> FileDescriptorProto:
    shown = python(f"import {module} as m; print(m.DESCRIPTOR.serialized_pb.hex())")
    return FileDescriptorProto.FromString(bytes.fromhex(shown))


@pytest.mark.parametrize("module", MODULES)
def test_file_descriptor_equals_the_published_one(module: str) -> None:
    ours = descriptor_in_own_process(f"{OURS}.{module}")
    published = descriptor_in_own_process(f"{PUBLISHED}.{module}")

    assert ours == published
    assert ours.SerializeToString() == published.SerializeToString()


@pytest.mark.parametrize(
    "packages", [(OURS, PUBLISHED), (PUBLISHED, OURS)], ids=["ours first", "published first"]
)
def test_both_packages_load_in_one_process(packages: tuple[str, str]) -> None:
    imports = [f"import {package}.{module}" for package in packages for module in MODULES]
    imports += [f"import {package}.inventory.v1.job_pb2_grpc" for package in packages]

    python("\n".join(imports))


def test_message_of_a_published_client_is_read_by_ours() -> None:
    from spaceone.api.inventory.v1 import job_pb2 as published

    from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2 as ours

    sent = published.JobsQuery(job_id="job-0123456789ab", status="FAILURE")
    sent.query.filter.add(k="status", v={"string_value": "ERROR"}, o="eq")

    received = ours.JobsQuery.FromString(sent.SerializeToString())

    assert received.status == ours.JobsQuery.FAILURE
    assert received.query.filter[0].WhichOneof("operator_alias") == "o"
    assert received.query.filter[0].v.string_value == "ERROR"


def test_stubs_name_their_modules_so_that_messages_can_be_pickled() -> None:
    shown = python(
        f"import pickle\nfrom {OURS}.inventory.v1 import job_pb2\n"
        "sent = job_pb2.JobRequest(job_id='job-0123456789ab')\n"
        "print(pickle.loads(pickle.dumps(sent)) == sent, type(sent).__module__)"
    )

    assert shown.split() == ["True", f"{OURS}.inventory.v1.job_pb2"]


def lower_bound(distribution: str) -> tuple[int, ...]:
    """The oldest release of a distribution that ours accepts at run time."""
    found = [Requirement(line) for line in requires("inventory-job") or ()]
    (wanted,) = [each for each in found if each.name == distribution and each.marker is None]
    (bound,) = [each.version for each in wanted.specifier if each.operator == ">="]
    return tuple(int(part) for part in bound.split("."))


def test_grpcio_lower_bound_is_what_the_stubs_ask_for() -> None:
    required = {
        match
        for path in STUBS.rglob("*_pb2_grpc.py")
        for match in re.findall(r"\nGRPC_GENERATED_VERSION = '(.+)'\n", path.read_text())
    }

    assert required == {".".join(map(str, lower_bound("grpcio")))}


def test_protobuf_lower_bound_is_what_the_stubs_ask_for() -> None:
    required = {
        tuple(map(int, match))
        for path in STUBS.rglob("*_pb2.py")
        for match in re.findall(r"Domain\.PUBLIC,\s+(\d+),\s+(\d+),\s+(\d+),", path.read_text())
    }

    assert required == {lower_bound("protobuf")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the source distribution of this tree."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


def wheel_names(folder: Path) -> set[str]:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def sdist_names(folder: Path) -> set[str]:
    """File names in the source distribution, without its top directory."""
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_wheel_carries_stubs_and_types(built: Path) -> None:
    stubs = {
        f"inventory_job/stubs/{path.relative_to(STUBS).as_posix()}"
        for path in STUBS.rglob("*.py*")
        if "__pycache__" not in path.parts
    }

    names = wheel_names(built)

    assert f"{OURS.replace('.', '/')}/inventory/v1/job_pb2.pyi" in stubs
    assert stubs <= names
    assert "inventory_job/py.typed" in names


def test_wheel_has_no_package_but_ours(built: Path) -> None:
    packages = {name.partition("/")[0] for name in wheel_names(built)}

    assert {name for name in packages if not name.endswith(".dist-info")} == {"inventory_job"}


def test_sdist_carries_the_contract_and_its_stubs(built: Path) -> None:
    names = sdist_names(built)

    assert "proto/spaceone/api/inventory/v1/job.proto" in names
    assert f"src/{OURS.replace('.', '/')}/inventory/v1/job_pb2.py" in names
    assert "src/inventory_job/py.typed" in names
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names

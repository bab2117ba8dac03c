"""TLS to MongoDB, as the URI has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from inventory_job.results import StoredDocument
from inventory_job.settings import Settings
from tests.support.certificates import Authority
from tests.support.replica_set import Member, free_ports
from tests.support.running import server_of
from tests.support.serving import list_jobs


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the certificate of the database's authority, and that of another."""
    return tmp_path_factory.mktemp("mongo")


@pytest.fixture(scope="module")
def host(directory: Path) -> Iterator[str]:
    """Where a mongod listens that takes connections with TLS alone, with one job."""
    authority = Authority()
    issued = authority.issue()
    (directory / "server.pem").write_bytes(issued.certificate + issued.key)
    (directory / "ca.crt").write_bytes(authority.certificate)
    (directory / "other.crt").write_bytes(Authority("other").certificate)
    options = (
        "--tlsMode=requireTLS",
        f"--tlsCertificateKeyFile={directory / 'server.pem'}",
        f"--tlsCAFile={directory / 'ca.crt'}",
        "--tlsAllowConnectionsWithoutCertificates",
    )
    mongod = Member(directory / "data", free_ports(1)[0], set_name=None, options=options)
    mongod.start()
    try:
        uri = f"mongodb://{mongod.host}/?tls=true&tlsCAFile={directory / 'ca.crt'}"
        with MongoClient[StoredDocument](uri) as client:
            client.inventory.job.insert_one({"job_id": "job-1", "domain_id": "domain-1"})
        yield mongod.host
    finally:
        mongod.kill()


def listed(uri: str) -> int:
    """How many jobs a server over this database tells."""
    settings = Settings(
        port=0,
        mongo_uri=SecretStr(uri),
        mongo_database="inventory",
        server_selection_seconds=2.0,
    )
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        return list_jobs(channel)


def test_a_database_is_reached_by_tls(host: str, directory: Path) -> None:
    assert listed(f"mongodb://{host}/?tls=true&tlsCAFile={directory / 'ca.crt'}") == 1


@pytest.mark.parametrize("options", ["", "tls=true&tlsCAFile={directory}/other.crt", "tls=true"])
def test_a_database_is_not_reached_without_tls_nor_if_it_is_not_trusted(
    host: str, directory: Path, options: str
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        listed(f"mongodb://{host}/?{options.format(directory=directory)}")

    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE

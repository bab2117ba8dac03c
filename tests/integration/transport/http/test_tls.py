"""The HTTP port with TLS: which clients are served, and what becomes of files that change."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest

from inventory_job.transport.tls import InvalidTls, TlsFiles
from tests.support.certificates import Authority
from tests.support.http_service import HttpPort, connected, served
from tests.support.store import Store

LIST = "/inventory/v1/job/list"
TENANT = {"content-type": "application/json", "x-domain-id": "domain-with-tls"}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def tls_files(directory: Path, authority: Authority, *, mutual: bool = False) -> TlsFiles:
    certificate, key = authority.issue().write(directory)
    ca = directory / "ca.crt"
    ca.write_bytes(authority.certificate)
    return TlsFiles(certificate, key, ca if mutual else None)


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate.decode())


def test_a_port_with_tls_serves_clients_that_trust_it(
    database: Store, tmp_path: Path, authority: Authority
) -> None:
    options = HttpPort(tls=tls_files(tmp_path, authority))
    with served(database, options) as origin:
        response = httpx.post(origin + LIST, json={}, headers=TENANT, verify=trusting(authority))

        assert response.status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(origin + "/healthz", verify=trusting(Authority("another")))


def test_mutual_tls_serves_only_clients_with_a_certificate(
    database: Store, tmp_path: Path, authority: Authority
) -> None:
    options = HttpPort(tls=tls_files(tmp_path, authority, mutual=True))
    shown = trusting(authority)
    shown.load_cert_chain(*authority.issue("client").write(tmp_path, "client"))
    with served(database, options) as origin:
        assert httpx.get(origin + "/healthz", verify=shown).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(origin + "/healthz", verify=trusting(authority))


def test_clients_of_a_withdrawn_ca_cannot_resume_a_session(
    database: Store, tmp_path: Path, authority: Authority
) -> None:
    files = tls_files(tmp_path, authority, mutual=True)
    shown = trusting(authority)
    shown.load_cert_chain(*authority.issue("client").write(tmp_path, "client"))
    with served(database, HttpPort(tls=files)) as origin:
        with tls_connected(origin, shown) as connection:
            assert health_of(connection).startswith(b"HTTP/1.1 200")
            session = connection.session
        assert files.client_ca is not None
        files.client_ca.write_bytes(Authority("another").certificate)

        with pytest.raises((ssl.SSLError, ConnectionError)):
            health_of(tls_connected(origin, shown, session))


def test_mutual_tls_takes_tls_1_3(database: Store, tmp_path: Path, authority: Authority) -> None:
    """Sessions of TLS 1.2 could be resumed, whatever the certificate."""
    shown = trusting(authority)
    shown.maximum_version = ssl.TLSVersion.TLSv1_2
    shown.load_cert_chain(*authority.issue("client").write(tmp_path, "client"))
    options = HttpPort(tls=tls_files(tmp_path, authority, mutual=True))
    with served(database, options) as origin, pytest.raises(ssl.SSLError):
        tls_connected(origin, shown)


def tls_connected(
    origin: str, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    plain = connected(origin)
    return context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)


def health_of(connection: ssl.SSLSocket) -> bytes:
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    if not (answer := connection.recv(65536)):
        raise ConnectionResetError
    return answer


def test_new_connections_get_a_renewed_certificate(
    database: Store, tmp_path: Path, authority: Authority
) -> None:
    files = tls_files(tmp_path, authority)
    with served(database, HttpPort(tls=files)) as origin:
        assert httpx.get(origin + "/healthz", verify=trusting(authority)).status_code == 200
        another = Authority("another")
        renewed = another.issue()
        files.certificate.write_bytes(renewed.certificate)
        # Between the two writes they do not fit together, and the former stay in use.
        assert httpx.get(origin + "/healthz", verify=trusting(authority)).status_code == 200
        files.key.write_bytes(renewed.key)

        assert httpx.get(origin + "/healthz", verify=trusting(another)).status_code == 200


def test_tls_files_that_cannot_be_used_are_named(
    database: Store, tmp_path: Path, authority: Authority
) -> None:
    files = tls_files(tmp_path, authority)
    files.key.write_text("no key")

    with pytest.raises(InvalidTls, match=r"server\.crt"):
        served(database, HttpPort(tls=files)).__enter__()

"""Files for TLS that cannot be used are refused with the reason; sessions are forgotten in time."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from inventory_job.transport.tls import (
    SESSION_SECONDS,
    InvalidTls,
    TlsFiles,
    channel_credentials,
    read_pem,
    server_credentials,
)
from tests.support.certificates import STRANGE_KEY, Authority


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    certificate, key = Authority().issue().write(tmp_path)
    return TlsFiles(certificate, key)


def refused(files: TlsFiles, reason: str) -> None:
    with pytest.raises(InvalidTls, match=reason):
        server_credentials(files)


def test_a_certificate_and_its_key_are_taken(files: TlsFiles) -> None:
    server_credentials(files)


def test_the_key_of_another_certificate_is_refused(files: TlsFiles) -> None:
    files.key.write_bytes(Authority().issue().key)

    refused(files, r"server\.key is not the key of .*server\.crt")


def test_a_file_that_is_missing_is_named(files: TlsFiles) -> None:
    files.certificate.unlink()

    refused(files, r"Cannot read .*server\.crt: No such file")


def test_a_key_under_a_password_is_refused(files: TlsFiles) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    encryption = BestAvailableEncryption(b"secret")
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))

    refused(files, "no unencrypted key")


def test_a_key_for_an_unknown_algorithm_is_refused(files: TlsFiles) -> None:
    files.key.write_bytes(STRANGE_KEY)

    refused(files, r"server\.key is for an algorithm that is not known")


def test_what_a_client_shows_has_to_fit_together(files: TlsFiles) -> None:
    channel_credentials(files.certificate, files.certificate, files.key)

    files.key.write_bytes(Authority().issue().key)
    with pytest.raises(InvalidTls, match="is not the key of"):
        channel_credentials(None, files.certificate, files.key)


def test_what_a_client_trusts_has_to_be_certificates(files: TlsFiles) -> None:
    with pytest.raises(InvalidTls, match=r"no certificate in PEM form in .*server\.key"):
        channel_credentials(files.key)


@pytest.mark.parametrize("content", [b"", b"not PEM", b"\xff"])
def test_a_file_without_a_certificate_is_refused(files: TlsFiles, content: bytes) -> None:
    files.certificate.write_bytes(content)

    refused(files, "There is no certificate")


def test_a_client_ca_without_a_certificate_is_refused(files: TlsFiles, tmp_path: Path) -> None:
    empty = tmp_path / "ca.crt"
    empty.touch()

    refused(TlsFiles(files.certificate, files.key, empty), r"no certificate .*ca\.crt")


def test_a_private_key_never_shows_in_the_reason(files: TlsFiles) -> None:
    files.certificate.write_bytes(files.key.read_bytes())

    with pytest.raises(InvalidTls) as raised:
        read_pem(files.certificate)

    assert "BEGIN" not in str(raised.value)


class Clients:
    """Clients of a port with mutual TLS, at a time of the test's."""

    def __init__(self, authority: Authority, directory: Path) -> None:
        server = authority.issue().write(directory)
        ca = directory / "ca.crt"
        ca.write_bytes(authority.certificate)
        self.now = 1000.0
        self.files = TlsFiles(*server, ca)
        self.credentials = server_credentials(self.files, lambda: self.now)
        self.port = 0
        self._context = ssl.create_default_context(cafile=ca)
        self._context.check_hostname = False
        self._context.set_alpn_protocols(["h2"])
        self._context.load_cert_chain(*authority.issue("client").write(directory, "client"))

    def use(self, version: ssl.TLSVersion) -> None:
        self._context.maximum_version = version

    def connect(self, session: ssl.SSLSession | None = None) -> tuple[ssl.SSLSession | None, bool]:
        """A connection: its session, and whether that is the one given."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain,
            self._context.wrap_socket(plain, session=session) as secured,
        ):
            secured.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            assert secured.recv(100)
            return secured.session, bool(secured.session_reused)


@contextmanager
def listening(clients: Clients) -> Iterator[None]:
    server = grpc.server(ThreadPoolExecutor(1))
    clients.port = server.add_secure_port("127.0.0.1:0", clients.credentials)
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_has_to_show_its_certificate_again_after_a_minute(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Who resumes a session shows none, even one that has expired meanwhile."""
    clients = Clients(Authority(), tmp_path)
    clients.use(version)
    with listening(clients):
        session, _ = clients.connect()
        assert clients.connect(session)[1] is True

        clients.now += SESSION_SECONDS

        assert clients.connect(session)[1] is False


def test_sessions_are_forgotten_while_the_files_cannot_be_read(tmp_path: Path) -> None:
    clients = Clients(Authority(), tmp_path)
    with listening(clients):
        session, _ = clients.connect()
        clients.files.key.unlink()
        assert clients.connect(session)[1] is True

        clients.now += SESSION_SECONDS

        assert clients.connect(session)[1] is False
        assert clients.connect()[0] is not None

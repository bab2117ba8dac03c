"""Files for TLS that cannot be used are refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from inventory_job.transport.tls import (
    InvalidTls,
    TlsFiles,
    channel_credentials,
    read_pem,
    server_credentials,
)
from tests.certificates import STRANGE_KEY, Authority


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

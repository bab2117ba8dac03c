"""TLS for the server's port: from files, read again when they have changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class InvalidTls(ValueError):
    """Files that TLS cannot be had from; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the PEM files are: the certificate chain, its key, and, for mutual TLS, the
    certificates that clients' certificates are signed with."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def version(self) -> tuple[tuple[int, ...], ...]:
        """What changes with the files."""
        return tuple(
            _stat(path) for path in (self.certificate, self.key, self.client_ca) if path is not None
        )


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials for a port; each new connection gets what is in the files at that time.

    With a client CA only clients with a certificate of it are served. Changed files that do not
    fit together are logged, and the former stay in use until they do. Raises InvalidTls when the
    first reading fails.
    """
    certificates = _Certificates(files)
    return grpc.dynamic_ssl_server_credentials(
        certificates.initial,
        certificates.changed,  # type: ignore[arg-type]  # None says: as before
        require_client_authentication=files.client_ca is not None,
    )


def read_pem(path: Path) -> bytes:
    """The certificates in a file, at least one, as they are; raises InvalidTls."""
    content = _read(path)
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise InvalidTls(f"There is no certificate in PEM form in {path}.") from error
    return content


class _Certificates:
    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._log = structlog.get_logger(__name__)
        self._version = files.version
        self.initial = _load(files)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """The present files' content, None when it is as before. Called by gRPC for every
        connection, at times from several threads."""
        with self._lock:
            version = self._files.version
            if version == self._version:
                return None
            self._version = version
            try:
                loaded = _load(self._files)
            except InvalidTls as error:
                self._log.error("certificates not read again", reason=str(error))
                return None
            self._log.info("certificates read again", file=str(self._files.certificate))
            return loaded


def _load(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    chain = read_pem(files.certificate)
    key = _read(files.key)
    try:
        public_key = load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError) as error:
        raise InvalidTls(f"There is no unencrypted key in PEM form in {files.key}.") from error
    if x509.load_pem_x509_certificates(chain)[0].public_key() != public_key:
        raise InvalidTls(f"{files.key} is not the key of {files.certificate}.")
    client_ca = read_pem(files.client_ca) if files.client_ca else None
    return grpc.ssl_server_certificate_configuration([(key, chain)], client_ca)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidTls(f"Cannot read {path}: {error.strerror}.") from error


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns

"""TLS for the server's ports, from files that are reloaded when they have changed.

Functions that parse certificates import the library for it themselves: it takes some megabytes, and
many ports have no TLS.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import grpc
import structlog

_Content = TypeVar("_Content")

SESSION_SECONDS = 60.0
"""How long a TLS session may be resumed, which needs no client certificate, in seconds."""


class InvalidTls(ValueError):
    """The TLS files cannot be used; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: the certificate chain, its private key, and, for mutual TLS, the CA
    certificates that client certificates are verified against."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def version(self) -> tuple[tuple[int, ...], ...]:
        """A value that changes when any of the files does."""
        return tuple(_stat(path) for path in (self.certificate, self.key, self.client_ca) if path)


class Certificates(Generic[_Content]):
    """What `read` returns for the files. If changed files cannot be used, that is logged and the
    content stays. Raises InvalidTls if the first reading fails."""

    def __init__(self, files: TlsFiles, read: Callable[[TlsFiles], _Content]) -> None:
        self._files = files
        self._read = read
        self._version = files.version
        self._content = read(files)
        self._log = structlog.get_logger(__name__)

    def content(self) -> _Content:
        """The content, which is a new object if the files have changed."""
        version = self._files.version
        if version != self._version:
            self._version = version
            try:
                self._content = self._read(self._files)
                self._log.info("certificates read again", file=str(self._files.certificate))
            except InvalidTls as error:
                self._log.error("certificates not read again", reason=str(error))
        return self._content


def server_credentials(
    files: TlsFiles, clock: Callable[[], float] = time.monotonic
) -> grpc.ServerCredentials:
    """Credentials for the gRPC port; each new connection uses the files as they are at that time,
    read by `Certificates`.

    With a client CA, clients need a certificate signed by it. A client that resumes a session sends
    none, so sessions can be resumed for SESSION_SECONDS only. `clock` is monotonic, in seconds.
    Raises InvalidTls.
    """
    certificates = Certificates(files, _configuration)
    lock = threading.Lock()
    used, renewed_at = certificates.content(), clock()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """A new configuration; None to keep the current one. gRPC calls this for every connection,
        sometimes from several threads at once."""
        nonlocal used, renewed_at
        with lock:
            latest = certificates.content()
            may_stay = files.client_ca is None or clock() - renewed_at < SESSION_SECONDS
            if latest is used and may_stay:
                return None
            used, renewed_at = latest, clock()
            return used()

    return grpc.dynamic_ssl_server_credentials(
        used(),
        changed,  # type: ignore[arg-type]  # None keeps the current one
        require_client_authentication=files.client_ca is not None,
    )


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for the HTTP port; each new connection uses the files as they are at that time,
    read by `Certificates`.

    With a client CA, clients need a certificate signed by it for every connection: sessions cannot
    be resumed, and TLS 1.3 is required. Raises InvalidTls.
    """
    certificates = Certificates(files, _context)
    first = certificates.content()

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """The SNI callback, which runs for each new connection, in the event loop."""
        latest = certificates.content()
        if latest is not first:
            connection.context = latest

    first.sni_callback = choose
    return first


def channel_credentials(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> grpc.ChannelCredentials:
    """Credentials for a client channel that trusts the certificates in `ca` (default: gRPC's own)
    and presents `certificate` if it is given with its `key`. Raises InvalidTls."""
    trusted = read_pem(ca) if ca is not None else None
    private, chain = _read_pair(certificate, key) if certificate and key else (None, None)
    return grpc.ssl_channel_credentials(trusted, private, chain)


def read_pem(path: Path) -> bytes:
    """The bytes of a PEM file with at least one certificate; raises InvalidTls."""
    from cryptography import x509  # noqa: PLC0415  see above

    content = _read(path)
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise InvalidTls(f"There is no certificate in PEM form in {path}.") from error
    return content


def _configuration(files: TlsFiles) -> Callable[[], grpc.ServerCertificateConfiguration]:
    """A factory of configurations with the files as they are now: gRPC takes each object once. A
    new configuration also replaces the keys of session tickets."""
    key, chain = _read_pair(files.certificate, files.key)
    client_ca = read_pem(files.client_ca) if files.client_ca else None
    return partial(grpc.ssl_server_certificate_configuration, [(key, chain)], client_ca)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without any password OpenSSL would prompt for one at the terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
            # A client that resumes a session sends no certificate, and its first one may be trusted
            # no longer. Before TLS 1.3, sessions can be resumed without tickets too.
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.num_tickets = 0
    except (OSError, ValueError) as error:
        raise InvalidTls(f"TLS cannot be had from {files.certificate}: {error}.") from error
    return context


def _read_pair(certificate: Path, key: Path) -> tuple[bytes, bytes]:
    """A private key and its certificate chain, both in PEM form; raises InvalidTls."""
    from cryptography import x509  # noqa: PLC0415  see above
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    chain, private = read_pem(certificate), _read(key)
    try:
        public_key = serialization.load_pem_private_key(private, password=None).public_key()
    except (ValueError, TypeError) as error:
        raise InvalidTls(f"There is no unencrypted key in PEM form in {key}.") from error
    except UnsupportedAlgorithm as error:
        raise InvalidTls(f"The key in {key} is for an algorithm that is not known.") from error
    try:
        certified = x509.load_pem_x509_certificates(chain)[0].public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidTls(
            f"The certificate in {certificate} is for an algorithm that is not known."
        ) from error
    if certified != public_key:
        raise InvalidTls(f"{key} is not the key of {certificate}.")
    return private, chain


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

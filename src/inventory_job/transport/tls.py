"""TLS for the server's ports: from files, read again when they have changed.

The library that reads certificates is imported where one is read: it takes some megabytes, and many
ports have no TLS.
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
"""How long a TLS session may be resumed, which takes no certificate, in seconds."""


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
        return tuple(_stat(path) for path in (self.certificate, self.key, self.client_ca) if path)


class Certificates(Generic[_Content]):
    """`content` is what `read` makes of the files; of changed ones that cannot be used, which is
    logged, the former stays. Raises InvalidTls when the first reading fails."""

    def __init__(self, files: TlsFiles, read: Callable[[TlsFiles], _Content]) -> None:
        self._files = files
        self._read = read
        self._version = files.version
        self.content = read(files)
        self._log = structlog.get_logger(__name__)

    def read_again(self) -> bool:
        """Reads the files if they have changed; whether there is new content."""
        version = self._files.version
        if version == self._version:
            return False
        self._version = version
        try:
            self.content = self._read(self._files)
        except InvalidTls as error:
            self._log.error("certificates not read again", reason=str(error))
            return False
        self._log.info("certificates read again", file=str(self._files.certificate))
        return True


def server_credentials(
    files: TlsFiles, clock: Callable[[], float] = time.monotonic
) -> grpc.ServerCredentials:
    """Credentials for the port of gRPC; each new connection gets what is in the files at that time,
    as `Certificates` reads them.

    With a client CA only clients with a certificate of it are served; a resumed session shows
    none, so sessions are forgotten after SESSION_SECONDS. `clock` is monotonic, in seconds. Raises
    InvalidTls.
    """
    certificates = Certificates(files, _configuration)
    lock = threading.Lock()
    renewed_at = clock()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """None when all is as before. gRPC calls this for every connection, at times from several
        threads."""
        nonlocal renewed_at
        with lock:
            is_new = certificates.read_again()
            if not is_new and (files.client_ca is None or clock() - renewed_at < SESSION_SECONDS):
                return None
            renewed_at = clock()
            return certificates.content()

    return grpc.dynamic_ssl_server_credentials(
        certificates.content(),
        changed,  # type: ignore[arg-type]  # None says: as before
        require_client_authentication=files.client_ca is not None,
    )


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for the port of HTTP; each new connection gets what is in the files at that time,
    as `Certificates` reads them.

    With a client CA only clients with a certificate of it are served, each time they connect: no
    session is resumed, which takes TLS 1.3. Raises InvalidTls.
    """
    certificates = Certificates(files, _context)
    first = certificates.content

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """Called for each new connection, in the event loop."""
        certificates.read_again()
        if certificates.content is not first:
            connection.context = certificates.content

    first.sni_callback = choose
    return first


def channel_credentials(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> grpc.ChannelCredentials:
    """Credentials for a channel: trusting the certificates in `ca` (default: gRPC's own), and
    showing `certificate` with its `key`, if there are two. Raises InvalidTls."""
    trusted = read_pem(ca) if ca is not None else None
    private, chain = _read_pair(certificate, key) if certificate and key else (None, None)
    return grpc.ssl_channel_credentials(trusted, private, chain)


def read_pem(path: Path) -> bytes:
    """The certificates in a file, at least one, as they are; raises InvalidTls."""
    from cryptography import x509  # noqa: PLC0415  see above

    content = _read(path)
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise InvalidTls(f"There is no certificate in PEM form in {path}.") from error
    return content


def _configuration(files: TlsFiles) -> Callable[[], grpc.ServerCertificateConfiguration]:
    """Makes configurations of what is in the files now: gRPC takes each once. With it go the keys
    of session tickets."""
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
            # A resumed session shows no certificate, and the first one may have been withdrawn;
            # before TLS 1.3 sessions can be resumed without tickets too.
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.num_tickets = 0
    except (OSError, ValueError) as error:
        raise InvalidTls(f"TLS cannot be had from {files.certificate}: {error}.") from error
    return context


def _read_pair(certificate: Path, key: Path) -> tuple[bytes, bytes]:
    """A private key and the certificate chain it fits, both in PEM form; raises InvalidTls."""
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

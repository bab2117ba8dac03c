"""TLS for the HTTP port, from the files of grpc.tls: read again when they have changed."""

from __future__ import annotations

import ssl

import structlog

from inventory_job.transport.grpc.tls import InvalidTls, TlsFiles


class Contexts:
    """`first` is a context whose new connections get what is in the files at that time.

    With a client CA only clients with a certificate of it are served, each time they connect: no
    session is resumed, which takes TLS 1.3. Changed files that cannot be used are logged, and the
    former stay in use until they can. Raises InvalidTls when the first reading fails.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._version = files.version
        self._log = structlog.get_logger(__name__)
        self.first = self._current = self._made()

    def _made(self) -> ssl.SSLContext:
        files = self._files
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
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """Called for each new connection, in the event loop."""
        version = self._files.version
        if version != self._version:
            self._version = version
            try:
                self._current = self._made()
            except InvalidTls as error:
                self._log.error("certificates not read again", reason=str(error))
            else:
                self._log.info("certificates read again", file=str(self._files.certificate))
        connection.context = self._current

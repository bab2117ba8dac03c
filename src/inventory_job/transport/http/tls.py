"""TLS for the HTTP port, from the files of grpc.tls: read again when they have changed."""

from __future__ import annotations

import ssl

from inventory_job.transport.grpc.tls import Certificates, InvalidTls, TlsFiles


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context whose new connections get what is in the files at that time, as `Certificates`
    reads them.

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

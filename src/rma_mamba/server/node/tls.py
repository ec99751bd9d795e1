"""TLS contexts for DICOM connections (DICOM PS3.15 B.12: BCP 195, TLS 1.2 or newer)."""

from __future__ import annotations

import ssl

from rma_mamba.errors import ConfigError
from rma_mamba.server.node.config import TlsConfig


def server_context(tls: TlsConfig) -> ssl.SSLContext:
    """The context of the listener; callers need a certificate if authorities are configured.

    Raises:
        ConfigError: A file is not a certificate or key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, tls)
    if tls.authorities is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(tls: TlsConfig) -> ssl.SSLContext:
    """The context of a destination, whose certificate must be valid for its host name.

    Raises:
        ConfigError: A file is not a certificate or key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, tls)
    if tls.authorities is None:
        context.load_default_certs()
    return context


def _load(context: ssl.SSLContext, tls: TlsConfig) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if tls.authorities is not None:
            context.load_verify_locations(tls.authorities)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"a certificate or key of the configuration cannot be used ({type(error).__name__}); expected PEM files, "
            "and the key of the certificate without a password. Correct 'tls'."
        ) from error

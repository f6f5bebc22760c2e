"""The API's side of TLS: certificates that follow their files."""

from __future__ import annotations

import ssl
from pathlib import Path

from suggestion_service.security import ServerSecurity, Watched, check_authorities, check_key_pair


def tls_context(security: ServerSecurity) -> ssl.SSLContext | None:
    """What connections begin with, None without a certificate. New files serve the next one. Raises SpecError."""
    cert, key, authorities = security.cert, security.key, security.client_ca
    if cert is None or key is None:
        return None
    watched = Watched([path for path in (cert, key, authorities) if path], lambda: _load(cert, key, authorities))
    context = watched.value

    def newest(connection: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
        if watched.changed() or watched.value is not context:
            connection.context = watched.value

    context.sni_callback = newest
    return context


def _load(cert: Path, key: Path, authorities: Path | None) -> ssl.SSLContext:
    check_key_pair(cert, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key, password=lambda: "")
    if authorities is not None:
        check_authorities(authorities, "--tls-client-ca")
        context.load_verify_locations(authorities)
        context.verify_mode = ssl.CERT_REQUIRED
    return context

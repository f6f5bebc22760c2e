"""Why a connection fails, in words: gRPC says little more than that it was closed."""

from __future__ import annotations

import socket
import ssl

from suggestion_service.security import ClientSecurity

_TIMEOUT = 3.0  # seconds

# Words in OpenSSL's names of errors -> what they mean to a client.
_ALERTS = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "RECORD_LAYER_FAILURE": "it does not speak TLS",
}


def tls_problem(address: str, security: ClientSecurity) -> str:
    """What is wrong between this client and the service at HOST:PORT; empty if nothing listens, or all is well."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), _TIMEOUT) as plain:
            return _handshake(plain, host, security)
    except (OSError, ValueError):
        return ""


def _handshake(plain: socket.socket, host: str, security: ClientSecurity) -> str:
    context = ssl.create_default_context(cafile=security.ca)
    context.set_alpn_protocols(["h2"])
    if security.ca is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if security.cert is not None:
        context.load_cert_chain(security.cert, security.key)
    try:
        with context.wrap_socket(plain, server_hostname=host) as encrypted:
            if security.ca is None:
                return "it speaks TLS: give the CA file of its certificate"
            # A server judges the client's certificate after the handshake. It says its settings, or goes.
            return "" if encrypted.recv(1) else _refused(security)
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not accepted: {error.verify_message}"
    except ssl.SSLError as error:
        if security.ca is None:
            return ""
        reason = error.reason or str(error)
        return next((words for name, words in _ALERTS.items() if name in reason), reason.lower().replace("_", " "))
    except ConnectionError:
        return "" if security.ca is None else _refused(security)


def _refused(security: ClientSecurity) -> str:
    if security.cert is None:
        return "it closed the connection; it may want a client certificate"
    return f"it refuses the client certificate {security.cert}"

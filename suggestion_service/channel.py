"""Connections of our clients to a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc

from suggestion_service.security import ClientSecurity, check_authorities, check_key_pair, read_pem, read_token

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # the service is a neighbour, whatever http_proxy says
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


def open_channel(address: str, security: ClientSecurity) -> Any:
    """A channel to HOST:PORT; it connects when it is used. Raises SpecError on files that cannot be used,
    PermanentError if a token would go to another machine unencrypted."""
    security.check(address)
    token = read_token(security.token, security.token_file)
    if security.ca is None:
        channel = grpc.insecure_channel(address, options=_OPTIONS)
    else:
        channel = grpc.secure_channel(address, _credentials(security), options=_OPTIONS)
    return grpc.intercept_channel(channel, _Token(token)) if token else channel


def _credentials(security: ClientSecurity) -> Any:
    assert security.ca is not None
    authorities = read_pem(security.ca, "CA file")
    check_authorities(security.ca, "CA file")
    key = cert = None
    if security.cert is not None and security.key is not None:
        key, cert = read_pem(security.key, "client key"), read_pem(security.cert, "client certificate")
        check_key_pair(security.cert, security.key)
    return grpc.ssl_channel_credentials(authorities, key, cert)


class _Details(NamedTuple):
    """A call, as gRPC hands it on; see ``grpc.ClientCallDetails``."""

    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str]]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Token(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Sends a token with each call."""

    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """The call with the token in its metadata."""
        metadata = [*(details.metadata or ()), self._header]
        return continuation(
            _Details(
                details.method,
                details.timeout,
                metadata,
                details.credentials,
                getattr(details, "wait_for_ready", None),
                getattr(details, "compression", None),
            ),
            request,
        )

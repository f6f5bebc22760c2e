"""The server's side of ``security``: credentials that follow their files, and the check of a caller's token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from suggestion_service.security import (
    ServerSecurity,
    Watched,
    check_authorities,
    check_key_pair,
    read_pem,
)
from suggestion_service.tokens import Tokens, tokens_of

_HEALTH = "/grpc.health.v1.Health/"  # a probe of a cluster has no token, and learns nothing but that we live


def credentials_of(security: ServerSecurity) -> Any:
    """gRPC's credentials, None without a certificate. New files serve the next connection. Raises SpecError."""
    if security.cert is None or security.key is None:
        return None
    paths = [path for path in (security.cert, security.key, security.client_ca) if path is not None]
    watched = Watched(paths, lambda: _load(security))
    return grpc.dynamic_ssl_server_credentials(
        watched.value, lambda: watched.value if watched.changed() else None, security.client_ca is not None
    )


def _load(security: ServerSecurity) -> Any:
    assert security.cert is not None
    assert security.key is not None
    pair = (read_pem(security.key, "--tls-key"), read_pem(security.cert, "--tls-cert"))
    check_key_pair(security.cert, security.key)
    authorities = None
    if security.client_ca is not None:
        authorities = read_pem(security.client_ca, "--tls-client-ca")
        check_authorities(security.client_ca, "--tls-client-ca")
    return grpc.ssl_server_certificate_configuration([pair], authorities)


def interceptors_of(security: ServerSecurity) -> tuple[Any, ...]:
    """What looks at each call before it is answered. Raises SpecError."""
    tokens = tokens_of(security)
    return () if tokens is None else (TokenCheck(tokens),)


class TokenCheck(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without ``authorization: Bearer TOKEN``, of a token that reaches everything: messages may name any
    namespace."""

    def __init__(self, tokens: Callable[[], Tokens]) -> None:
        """tokens: the ones in force now."""
        self._tokens = tokens
        self._refusal = grpc.stream_stream_rpc_method_handler(_refuse)  # suits every kind of call

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        """The handler of the call, or one that refuses it."""
        if details.method.startswith(_HEALTH):
            return continuation(details)
        sent = next((value for name, value in details.invocation_metadata if name == "authorization"), "")
        grant = self._tokens().grant(sent.encode() if isinstance(sent, str) else sent)
        return continuation(details) if grant is not None and grant.namespaces is None else self._refusal


def _refuse(requests: Any, context: Any) -> Any:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "this service needs a token: authorization: Bearer TOKEN")

"""Who may do what: tokens, and the rules that keep a browser's pages from acting in its user's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from katib.core.errors import PermanentError
from katib.server.paths import place_of
from katib.server.status import ApiError
from suggestion_service.security import ServerSecurity, is_loopback
from suggestion_service.tokens import Grant, Tokens, tokens_of

Headers = Sequence[tuple[bytes, bytes]]

HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})

_DISCOVERY = ("/version", "/api", "/apis", "/openapi")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]]+)(:\d{1,5})?")
_DOCUMENT = re.compile(r"[a-z]+/([a-z0-9.+-]*[.+-])?(json|yaml|protobuf|cbor)")


@dataclass(frozen=True, slots=True)
class Access:
    """hosts: names that callers may use for this server, None for any. tokens: those in force, None if none is
    needed."""

    hosts: frozenset[str] | None = None
    tokens: Callable[[], Tokens] | None = None

    def check(self, method: str, path: str, scheme: str, headers: Headers) -> None:
        """Raises ApiError with the reason if the request is refused."""
        if path in HEALTH:
            return
        if self.hosts is not None:
            _check_host(headers, self.hosts)
        if self.tokens is not None:
            _check_grant(_grant(self.tokens(), headers), method, path)
        if method not in READING:
            _check_origin(headers, scheme)
            _check_type(headers)


def access_of(host: str, security: ServerSecurity) -> Access:
    """What protects an API on ``host``. Raises PermanentError if other machines can reach it and it has not both
    certificate and token; SpecError on tokens that cannot be used."""
    tokens = tokens_of(security)
    bracketed = f"[{host}]" if ":" in host else host
    if is_loopback(f"{bracketed}:0"):
        return Access(frozenset({"localhost", "127.0.0.1", "[::1]", bracketed.lower()}), tokens)
    missing = [] if security.cert else ["a certificate (--tls-cert, --tls-key)"]
    if tokens is None:
        missing.append("a token (--token-file)")
    if missing:
        raise PermanentError(
            f"address {host!r} can be reached from other machines: the API runs commands here for whoever reaches it, "
            f"so it needs {' and '.join(missing)}; or listen on 127.0.0.1"
        )
    return Access(None, tokens)


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


def _check_host(headers: Headers, hosts: frozenset[str]) -> None:
    """A page of another site whose name was made to lead here still says that name."""
    given = _values(headers, b"host")
    found = _HOST.fullmatch(given[0].decode("latin-1").lower()) if len(given) == 1 else None
    if found is None or found["name"] not in hosts:
        said = ", ".join(value.decode("latin-1") for value in given)
        raise ApiError(421, f"the Host header says {said!r}, expected one of {', '.join(sorted(hosts))}")


def _grant(tokens: Tokens, headers: Headers) -> Grant:
    given = _values(headers, b"authorization")
    grant = tokens.grant(given[0]) if len(given) == 1 else None
    if grant is None:
        raise ApiError(401, "Unauthorized")
    return grant


def _check_grant(grant: Grant, method: str, path: str) -> None:
    """What a token of some namespaces does not reach is refused before anything is looked up."""
    if grant.namespaces is None:
        return
    place = place_of(path)
    if place is None:
        if not any(path == start or path.startswith(f"{start}/") for start in _DISCOVERY):
            raise ApiError(403, f'the path "{path}" is forbidden to tokens of single namespaces')
    elif place.namespace is None:
        raise ApiError(403, f"{place.plural} is forbidden: this token does not reach all namespaces")
    elif not grant.reaches(place.namespace):
        raise ApiError(403, f'{place.plural} is forbidden: this token does not reach the namespace "{place.namespace}"')
    elif place.plural == "namespaces" and method not in READING:
        raise ApiError(403, "namespaces are changed by tokens that reach all of them")


def _check_origin(headers: Headers, scheme: str) -> None:
    """Changes are not made for pages of other sites. Programs send neither header."""
    host = b"".join(_values(headers, b"host")[:1]).lower()
    own = b"%s://%s" % (scheme.encode(), host)
    if any(value.lower() != own for value in _values(headers, b"origin")):
        raise ApiError(403, "changes are not made for pages of other sites (Origin)")
    if any(value not in (b"same-origin", b"none") for value in _values(headers, b"sec-fetch-site")):
        raise ApiError(403, "changes are not made for pages of other sites (Sec-Fetch-Site)")


def _check_type(headers: Headers) -> None:
    """A page of any site can make a browser send forms and plain text without asking; JSON and YAML it cannot."""
    lengths = _values(headers, b"content-length")
    if not _values(headers, b"transfer-encoding") and all(value == b"0" for value in lengths):
        return
    given = b"".join(_values(headers, b"content-type")[:1]).decode("latin-1")
    if not _DOCUMENT.fullmatch(given.partition(";")[0].strip().lower()):
        raise ApiError(415, f"got a body of the type {given!r}, expected application/json or application/yaml")

"""Who may call the services, and over what: TLS, client certificates and tokens; and the same for our clients.

On an address that only this machine can reach, nothing is required. On any other, calls must be encrypted (a
certificate) and callers known (a token or client certificates), unless ``insecure`` says that something else sees to
it, as a cluster's network policy may.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from katib.core.errors import KatibError, PermanentError, SpecError

log = logging.getLogger(__name__)

T = TypeVar("T")

_ED25519 = bytes.fromhex("06032b6570")  # its object identifier, 1.3.101.112 (RFC 8410), in DER
_OUT_OF_DATE = (9, 10)  # OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED


@dataclass(frozen=True, slots=True)
class ServerSecurity:
    """cert, key: PEM files with the server's certificate (chain) and its key. client_ca: PEM file; callers must show a
    certificate that one of its authorities signed. token, token_file: callers must know it; the file wins. insecure:
    allow an address beyond this machine without all that."""

    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        """Raises SpecError on a half of a pair."""
        _check_pair(self.cert, self.key, "--tls-cert", "--tls-key")
        if self.client_ca and not self.cert:
            raise SpecError("--tls-client-ca needs a certificate of the server too: --tls-cert and --tls-key")

    def check(self, address: str) -> None:
        """Raise PermanentError if HOST:PORT can be reached from other machines and is not protected."""
        if self.insecure or is_loopback(address):
            return
        missing = [] if self.cert else ["a certificate (--tls-cert, --tls-key)"]
        if not (self.token or self.token_file or self.client_ca):
            missing.append("a token (--token-file) or client certificates (--tls-client-ca)")
        if missing:
            raise PermanentError(
                f"address {address!r} can be reached from other machines: it needs {' and '.join(missing)}; "
                "or listen on 127.0.0.1, or allow it with --insecure"
            )


@dataclass(frozen=True, slots=True)
class ClientSecurity:
    """ca: PEM file with the authorities that may have signed the service's certificate; with it, calls are encrypted.
    cert, key: PEM files to show to a service that asks. token, token_file: sent with each call; the file wins."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    token: str = field(default="", repr=False)
    token_file: Path | None = None

    def __post_init__(self) -> None:
        """Raises SpecError on a half of a pair."""
        _check_pair(self.cert, self.key, "client certificate", "client key")
        if self.cert and not self.ca:
            raise SpecError("a client certificate needs the service's authority too (its CA file)")

    @classmethod
    def from_environment(cls, prefix: str, environment: Mapping[str, str] = os.environ) -> ClientSecurity:
        """From the variables ``<prefix>CA``, ``CERT``, ``KEY``, ``TOKEN`` and ``TOKEN_FILE``."""

        def path(name: str) -> Path | None:
            text = environment.get(prefix + name)
            return Path(text) if text else None

        token = environment.get(f"{prefix}TOKEN", "")
        return cls(path("CA"), path("CERT"), path("KEY"), token, path("TOKEN_FILE"))

    def check(self, address: str) -> None:
        """Raise PermanentError if a token would go to another machine for all to read."""
        if (self.token or self.token_file) and not self.ca and not is_loopback(address):
            raise PermanentError(f"a token would be sent to {address} unencrypted: give the service's CA file too")


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT can be reached from this machine only."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Watched(Generic[T]):
    """What some files hold, read again when one of them has changed. A change that cannot be used is logged, and what
    was there before stays: certificate and key are seldom replaced in the same moment."""

    def __init__(self, paths: Sequence[Path], load: Callable[[], T]) -> None:
        """load: makes the value. Its error is raised here, and only logged later."""
        self._paths = paths
        self._load = load
        self._stamp = self._stamps()
        self.value = load()

    def changed(self) -> bool:
        """Whether ``value`` is another one than at the last call."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.value = self._load()
        except KatibError as error:
            log.warning("what was there before stays in force: %s", error)
            return False
        return True

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        stamps: list[tuple[int, int, int] | None] = []
        for path in self._paths:
            try:
                status = path.stat()
                stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
            except OSError:
                stamps.append(None)
        return stamps


def read_pem(path: Path, what: str) -> bytes:
    """The file's bytes. Raises SpecError that names ``what``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{what}: cannot read {path}: {error.strerror}") from error


def read_token(token: str, file: Path | None) -> str:
    """The token, of the file if there is one; empty for none. Raises SpecError on one that cannot be sent."""
    if file is not None:
        token = read_pem(file, "token").decode("utf-8", "replace").strip()
        if not token:
            raise SpecError(f"token: {file} is empty")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise SpecError("token: expected printable ASCII characters without spaces")
    return token


def check_key_pair(cert: Path, key: Path) -> None:
    """Raise SpecError unless the key belongs to the certificate, and that is valid today and one that gRPC takes."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key, password=lambda: "")
        _check_dates(context, cert)
        _check_kind(cert)
    except ssl.SSLCertVerificationError as error:
        raise SpecError(f"TLS: {cert}: {error.verify_message}") from error
    except ssl.SSLError as error:
        reason = (error.reason or "").lower().replace("_", " ")
        said = (
            "the key does not match the certificate" if "mismatch" in reason else reason or "no PEM certificate and key"
        )
        raise SpecError(f"TLS: {cert} and {key}: {said}") from error
    except (OSError, ValueError) as error:
        raise SpecError(f"TLS: {cert} and {key}: {error}") from error


def _check_dates(server: ssl.SSLContext, cert: Path) -> None:
    """Have ``ssl`` verify the certificate in a handshake with itself: the standard library has no other way to look
    into one. Raises SSLCertVerificationError if it is out of date."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cert)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for end in (*ends, *ends):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in _OUT_OF_DATE:
                raise
            return


def _check_kind(cert: Path) -> None:
    """gRPC's own TLS library ends a handshake with Ed25519 without a word."""
    end = "-----END CERTIFICATE-----"
    first = cert.read_text(errors="replace").partition(end)[0]
    der = ssl.PEM_cert_to_DER_cert(first[first.find("-----BEGIN CERTIFICATE-----") :] + end)
    if _ED25519 in der:
        raise SpecError(f"TLS: {cert}: gRPC cannot use Ed25519, neither as a key nor as a signature; use ECDSA or RSA")


def check_authorities(path: Path, what: str) -> None:
    """Raise SpecError unless the file has certificates."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        raise SpecError(f"{what}: {path} has no PEM certificate that can be read") from error


def _check_pair(cert: Path | None, key: Path | None, cert_name: str, key_name: str) -> None:
    if (cert is None) != (key is None):
        given, lacking = (cert_name, key_name) if cert else (key_name, cert_name)
        raise SpecError(f"{given} needs {lacking} too")

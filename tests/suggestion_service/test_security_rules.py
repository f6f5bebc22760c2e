"""What must be protected where, and mistakes with certificates and tokens: each is named before anything listens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from katib.core.errors import KatibError, PermanentError, SpecError
from suggestion_service.channel import open_channel
from suggestion_service.security import ClientSecurity, ServerSecurity
from suggestion_service.server import serve

HOST = "127.0.0.1"


class TestRules:
    """What is needed where: nothing on the loopback, encryption and known callers beyond it."""

    @pytest.mark.parametrize(
        ("options", "allowed"),
        [
            pytest.param((), False, id="nothing"),
            pytest.param(("token",), False, id="token-alone"),
            pytest.param(("tls",), False, id="tls-alone"),
            pytest.param(("tls", "token"), True, id="tls-and-token"),
            pytest.param(("tls", "client_ca"), True, id="tls-and-client-certificates"),
            pytest.param(("insecure",), True, id="insecure"),
        ],
    )
    @pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "10.1.2.3", "example.org"])
    def test_beyond_this_machine(self, ours, options, allowed, host):
        values = {"token": "secret", "client_ca": ours.file, "insecure": True}
        security = {name: values[name] for name in options if name in values}
        security |= ours.issue(HOST) if "tls" in options else {}

        if allowed:
            ServerSecurity(**security).check(f"{host}:6789")
        else:
            with pytest.raises(PermanentError, match="can be reached from other machines: it needs"):
                ServerSecurity(**security).check(f"{host}:6789")

    def test_an_unprotected_address_is_never_opened(self):
        with pytest.raises(PermanentError, match="--insecure"):
            serve("0.0.0.0:0", security=ServerSecurity(token="secret"))

    @pytest.mark.parametrize("kind", [ServerSecurity, ClientSecurity])
    def test_a_token_is_not_shown(self, kind):
        assert "secret" not in repr(kind(token="secret"))

    def test_a_token_is_not_sent_to_another_machine_in_the_clear(self):
        with pytest.raises(PermanentError, match="unencrypted"):
            open_channel("example.org:6789", ClientSecurity(token="secret"))


class TestMistakes:
    """Each says which file or option is wrong, before anything listens or is called."""

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            pytest.param(
                lambda a, p: {"cert": p / "no", **key(a)}, "--tls-cert: cannot read .*no: No such", id="no-cert"
            ),
            pytest.param(
                lambda a, p: {**cert(a), "key": p / "no"}, "--tls-key: cannot read .*no: No such", id="no-key"
            ),
            pytest.param(lambda a, p: cert(a), "--tls-cert needs --tls-key", id="cert-alone"),
            pytest.param(lambda a, p: key(a), "--tls-key needs --tls-cert", id="key-alone"),
            pytest.param(
                lambda a, p: {**cert(a), **key(a, "b.example.org")},
                "the key does not match the certificate",
                id="mismatch",
            ),
            pytest.param(lambda a, p: a.issue(HOST, days=-1), "certificate has expired", id="expired"),
            pytest.param(lambda a, p: {**a.issue(HOST), "cert": junk(p)}, "junk.pem", id="junk-cert"),
            pytest.param(lambda a, p: {**a.issue(HOST), "key": junk(p)}, "junk.pem", id="junk-key"),
            pytest.param(
                lambda a, p: {**a.issue(HOST), "client_ca": junk(p)},
                "--tls-client-ca: .*no PEM certificate",
                id="junk-ca",
            ),
            pytest.param(lambda a, p: ed25519(p), "gRPC cannot use Ed25519", id="ed25519"),
            pytest.param(
                lambda a, p: {"client_ca": a.file}, "--tls-client-ca needs a certificate", id="client-ca-alone"
            ),
            pytest.param(lambda a, p: {"token_file": p / "no"}, "token: cannot read .*no: No such", id="no-token-file"),
            pytest.param(lambda a, p: {"token_file": empty(p)}, "token: .*empty is empty", id="empty-token-file"),
            pytest.param(lambda a, p: {"token": "a b"}, "printable ASCII", id="token-with-a-space"),
            pytest.param(lambda a, p: {"token": "schlüssel"}, "printable ASCII", id="token-not-ascii"),
        ],
    )
    def test_of_a_server(self, ours, tmp_path, make, words):
        with pytest.raises(SpecError, match=words):
            serve(f"{HOST}:0", security=ServerSecurity(**make(ours, tmp_path)))

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            pytest.param(lambda a, p: {"ca": p / "no"}, "CA file: cannot read .*no: No such", id="no-ca"),
            pytest.param(lambda a, p: {"ca": junk(p)}, "CA file: .*no PEM certificate", id="junk-ca"),
            pytest.param(lambda a, p: {"ca": a.file, **cert(a)}, "client certificate needs client key", id="half"),
            pytest.param(lambda a, p: a.issue(HOST), "needs the service's authority", id="no-authority"),
            pytest.param(lambda a, p: {"token_file": p / "no"}, "token: cannot read", id="no-token-file"),
        ],
    )
    def test_of_a_client(self, ours, tmp_path, make, words):
        with pytest.raises(KatibError, match=words):
            open_channel(f"{HOST}:1", ClientSecurity(**make(ours, tmp_path)))


def cert(authority, _folder=None):
    return {"cert": authority.issue(HOST)["cert"]}


def key(authority, identity=HOST):
    return {"key": authority.issue(identity)["key"]}


def junk(folder):
    (folder / "junk.pem").write_text("no certificate\n")
    return folder / "junk.pem"


def ed25519(folder):
    """A certificate that signs itself with a key of that kind."""
    own = Ed25519PrivateKey.generate()
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, own.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "ed.crt").write_bytes(builder.sign(own, None).public_bytes(pem))
    (folder / "ed.key").write_bytes(own.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return {"cert": folder / "ed.crt", "key": folder / "ed.key"}


def empty(folder):
    (folder / "empty").write_text("\n")
    return folder / "empty"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"X_TOKEN": "t", "X_CA": ""}, {"token": "t"}, id="token"),
    ],
)
def test_a_client_reads_the_environment(environment, expected):
    assert ClientSecurity.from_environment("X_", environment) == ClientSecurity(**expected)

"""Who may call: names of the server, tokens and their namespaces, browsers' pages, types of bodies, and what is needed
to listen where other machines can call."""

from __future__ import annotations

import pytest

from katib.core.errors import PermanentError, SpecError
from katib.server.access import Access, access_of
from katib.server.status import ApiError
from suggestion_service.security import ServerSecurity
from tests.server.documents import path

JSON = {"content-type": "application/json", "content-length": "2"}
ALL, ONE, NOBODY = (("authorization", f"Bearer {token}") for token in ("all-of-it", "one-of-them", "stranger"))


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text("# who may call\nall-of-it\n\none-of-them  a,b\n")
    return file


def code_of(access: Access, method: str, where: str, *headers: tuple[str, str], scheme: str = "http") -> int:
    """200, or the code of the refusal."""
    sent = [(name.encode(), value.encode()) for name, value in headers]
    try:
        access.check(method, where, scheme, sent)
    except ApiError as error:
        return error.code
    return 200


@pytest.mark.parametrize(
    ("host", "code"),
    [
        *((host, 200) for host in ("localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1")),
        *((host, 421) for host in ("", "example.org", "localhost.example.org", "127.0.0.1.nip.io:8080", "10.0.0.1")),
        *((host, 421) for host in ("localhost:8080:1", "localhost:x", "[::1", "::1", "localhost@example.org", "é")),
    ],
)
def test_names_of_a_server_on_the_loopback(host, code):
    assert code_of(access_of("127.0.0.1", ServerSecurity()), "GET", path(), ("host", host)) == code


def test_a_request_has_one_host():
    access = access_of("127.0.0.1", ServerSecurity())
    assert code_of(access, "GET", path()) == 421
    assert code_of(access, "GET", path(), ("host", "localhost"), ("host", "localhost")) == 421
    assert code_of(access_of("127.0.0.7", ServerSecurity()), "GET", path(), ("host", "127.0.0.7:80")) == 200


@pytest.mark.parametrize(
    ("method", "where", "sent", "code"),
    [
        *((("GET"), health, None, 200) for health in ("/healthz", "/livez", "/readyz")),
        *(
            ("GET", where, None, 401)
            for where in ("/", "/version", "/metrics", "/apis", path(), "/healthz/", "/x/../livez")
        ),
        ("GET", path(), NOBODY, 401),
        ("GET", path(), ("authorization", "Bearer"), 401),
        ("GET", path(), ("authorization", "all-of-it"), 401),
        ("GET", path(), ("authorization", "Bearer all-of-it "), 401),
        ("GET", path(), ("authorization", "Bearer one-of-them a,b"), 401),
        *(("GET", where, ALL, 200) for where in ("/", "/version", "/metrics", path(), "/api/v1/namespaces")),
        *(
            ("GET", where, ONE, 200)
            for where in ("/version", "/api", "/apis", "/openapi/v3", "/apis/kubeflow.org/v1beta1")
        ),
        *((method, path("x", "a"), ONE, 200) for method in ("GET", "PUT", "PATCH", "DELETE")),
        ("POST", path("", "b"), ONE, 200),
        *((method, path("x", "c"), ONE, 403) for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE")),
        ("GET", path("", "c"), ONE, 403),
        ("GET", path("", ""), ONE, 403),
        ("GET", "/apis/kubeflow.org/v1beta1/experiments", ONE, 403),
        ("GET", "/apis/kubeflow.org/v1beta1/watch/namespaces/a/experiments", ONE, 403),
        ("GET", "/api/v1/namespaces", ONE, 403),
        ("GET", "/api/v1/namespaces/a", ONE, 200),
        ("GET", "/api/v1/namespaces/a/pods/x/log", ONE, 200),
        ("GET", "/api/v1/namespaces/c/pods/x/log", ONE, 403),
        ("GET", "/api/v1/namespaces/c", ONE, 403),
        *((method, "/api/v1/namespaces/a", ONE, 403) for method in ("DELETE", "PUT", "PATCH")),
        ("POST", "/api/v1/namespaces", ONE, 403),
        *(("GET", where, ONE, 403) for where in ("/", "/metrics", "/apisx", "/openapi-x", "//api")),
    ],
)
def test_what_a_token_reaches(tokens, method, where, sent, code):
    access = Access(None, access_of("127.0.0.1", ServerSecurity(token_file=tokens)).tokens)
    assert code_of(access, method, where, *([sent] if sent else [])) == code


def test_a_refusal_tells_only_what_was_asked(tokens):
    access = Access(None, access_of("127.0.0.1", ServerSecurity(token_file=tokens)).tokens)
    with pytest.raises(ApiError) as refused:
        access.check("GET", path("secret-plan", "c"), "http", [(b"authorization", b"Bearer one-of-them")])
    assert (refused.value.code, refused.value.status["reason"]) == (403, "Forbidden")
    assert "secret-plan" not in str(refused.value)
    assert not any(word in str(refused.value) for word in ("a,b", "one-of-them"))


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("GET", {"origin": "https://example.org", "sec-fetch-site": "cross-site"}, 200),
        ("POST", JSON, 200),
        ("POST", {**JSON, "origin": "http://localhost:8080", "sec-fetch-site": "same-origin"}, 200),
        ("POST", {**JSON, "sec-fetch-site": "none"}, 200),
        *(
            (method, {**JSON, "origin": origin}, 403)
            for method in ("POST", "PUT", "PATCH", "DELETE")
            for origin in ("https://example.org", "null", "https://localhost:8080", "http://localhost:3000", "")
        ),
        *(("POST", {**JSON, "sec-fetch-site": site}, 403) for site in ("cross-site", "same-site", "")),
        *(
            (method, {"content-length": "2", **({"content-type": type} if type else {})}, code)
            for method in ("POST", "PUT", "PATCH", "DELETE")
            for type, code in (
                ("application/json; charset=utf-8", 200),
                ("application/yaml", 200),
                ("application/merge-patch+json", 200),
                ("application/apply-patch+yaml", 200),
                ("text/plain", 415),
                ("text/plain; x=application/json", 415),
                ("multipart/form-data; boundary=json", 415),
                ("application/x-www-form-urlencoded", 415),
                ("application/notjson", 415),
                ("", 415),
            )
        ),
        ("POST", {"transfer-encoding": "chunked", "content-type": "text/plain"}, 415),
        ("DELETE", {"content-length": "0", "content-type": "text/plain"}, 200),
        ("DELETE", {}, 200),
    ],
)
def test_what_changes_things(method, headers, code):
    assert code_of(Access(), method, path("x"), ("host", "localhost:8080"), *headers.items()) == code


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org"])
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        pytest.param((), ["certificate", "token"], id="nothing"),
        pytest.param(("token",), ["certificate"], id="token"),
        pytest.param(("tls",), ["token"], id="certificate"),
        pytest.param(("tls", "client_ca"), ["token"], id="client-certificates"),
        pytest.param(("insecure",), ["certificate", "token"], id="insecure"),
        pytest.param(("tls", "token"), [], id="both"),
    ],
)
def test_beyond_this_machine(ours, host, given, missing):
    values = {"token": "secret", "client_ca": ours.file, "insecure": True}
    security = {name: values[name] for name in given if name in values}
    security |= ours.issue("127.0.0.1") if "tls" in given else {}
    if missing:
        with pytest.raises(PermanentError, match=".*".join(["it needs", *missing])):
            access_of(host, ServerSecurity(**security))
    else:
        assert access_of(host, ServerSecurity(**security)).hosts is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# nobody\n", "is empty"),
        ("a\nb x y\n", "line 2: got 3 words"),
        ("a x\na y\n", "line 2: this token stands there twice"),
        ("a x,\n", "line 1: got the namespace ''"),
        ("a Team\n", "line 1: got the namespace 'Team'"),
        ("schlüssel\n", "printable ASCII"),
    ],
)
def test_token_files_that_cannot_be_used(tmp_path, text, words):
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(SpecError, match=words):
        access_of("127.0.0.1", ServerSecurity(token_file=tmp_path / "tokens"))

"""URLs of database servers: what is understood, what is refused, and that a password is never shown."""

from __future__ import annotations

import sys

import pytest

from katib.core.errors import MissingExtraError, SpecError
from katib.storage import open_store
from katib.storage.servers import name_of, server_url, without_password


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://me:secret@db.example:5433/katib", ("me", "secret", "db.example", 5433, "katib")),
        ("postgres://me@db.example/katib", ("me", None, "db.example", None, "katib")),
        ("postgresql+psycopg:///katib", (None, None, None, None, "katib")),
        ("mysql://me:p%40%2F%3A%25@[::1]/katib?ssl_ca=ca.pem", ("me", "p@/:%", "::1", None, "katib")),
    ],
)
def test_a_url_is_understood(url: str, parts: tuple[object, ...]) -> None:
    got = server_url(url, "mysql+pymysql")
    assert (got.username, got.password, got.host, got.port, got.database) == parts


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("postgresql://me:secret@host", "names no database", id="no database"),
        pytest.param("postgresql://me:secret@host/", "names no database", id="empty database"),
        pytest.param("postgresql://me:secret@host:port/katib", "expected postgresql://USER", id="port"),
        pytest.param("mysql://me:secr@secret@host/katib", "write @ as %40", id="@ in the password"),
        pytest.param("mysql://me:1/secret@host/katib", "write @ as %40", id="/ in the password"),
        pytest.param("me:secret@host/katib", "expected a URL", id="no kind"),
        pytest.param("postgresql:me:secret@host/katib", "expected a URL", id="no slashes"),
    ],
)
def test_a_url_is_refused_without_showing_its_password(url: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        open_store(url) if url.startswith(("me", "postgresql:m")) else server_url(url, "mysql+pymysql")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host/katib", "postgresql://me:***@host/katib"),
        ("mysql://me:a@b:secret@host/katib", "mysql://me:***@host/katib"),
        ("postgresql://me@host/katib?password=secret&x=1", "postgresql://me@host/katib?password=***&x=1"),
        ("postgresql://host/katib?sslpassword=secret", "postgresql://host/katib?sslpassword=***"),
        ("sqlite:////home/me/katib.db", "sqlite:////home/me/katib.db"),
        ("", ""),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_the_name_of_a_database_holds_no_secret() -> None:
    url = server_url("postgres://me:secret@host:1/katib?sslpassword=secret", "postgresql+psycopg")
    assert name_of(url, "postgresql") == "postgresql://me@host:1/katib"


@pytest.mark.parametrize(
    ("kind", "package", "extra"), [("postgresql", "psycopg", "postgres"), ("mariadb", "pymysql", "mysql")]
)
def test_a_missing_driver_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, kind: str, package: str, extra: str
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    for module in ("katib.storage.postgresql", "katib.storage.mysql"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*katib-engine\[{extra}\]"):
        open_store(f"{kind}://me@host/katib")

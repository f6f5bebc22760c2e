"""What all database servers have in common: URLs (read, checked, shown without their password) and connections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from katib.core.errors import SpecError

CONNECTIONS = 8  # of a process at most; threads beyond them wait
POOL_TIMEOUT = 60  # seconds that they wait
LOCK_TIMEOUT = 60  # seconds that a writer waits for another one's transaction
IDLE_TIMEOUT = 30  # seconds after which the server ends a transaction whose owner is silent: it was paused or is gone

_SECRET = re.compile(r"^([^:]*:/*[^:/?]*):.*@", re.DOTALL)  # to the last @, should the password hold one
_SECRET_OPTION = re.compile(r"((?:password|passwd|passphrase|secret)[^=&]*=)[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """``url`` with ``***`` in the place of its password, well formed or not."""
    return _SECRET_OPTION.sub(r"\1***", _SECRET.sub(r"\1:***@", url))


def server_url(url: str, driver: str) -> URL:
    """``KIND://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE``, as SQLAlchemy has it. Raises SpecError."""
    kind, _, rest = url.partition("://")
    expected = f"expected {kind}://USER:PASSWORD@HOST:PORT/DATABASE"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if rest.count("@") > 1 or ("@" in rest and "@" not in authority):
        raise SpecError(
            f"store: got {without_password(url)!r}, {expected}; "
            "in a user's name or password write @ as %40, : as %3A, / as %2F, % as %25"
        )
    try:
        parsed = make_url(f"{driver}://{rest}")
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None:
        raise SpecError(f"store: got {without_password(url)!r}, {expected}")
    if not parsed.database:
        raise SpecError(f"store: {without_password(url)!r} names no database; {expected}")
    return parsed


def name_of(url: URL, kind: str) -> str:
    """What to call the database in messages: ``KIND://USER@HOST:PORT/DATABASE``, without password and options."""
    return URL.create(kind, url.username, None, url.host, url.port, url.database).render_as_string()


def server_engine(address: URL, options: Mapping[str, Any]) -> Engine:
    """Pooled connections to ``address``. options: of the driver, where the URL has none of that name."""
    return create_engine(
        address,
        isolation_level="AUTOCOMMIT",  # transactions begin when we say so
        connect_args={name: value for name, value in options.items() if name not in address.query},
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_use_lifo=True,
        pool_reset_on_return=None,  # transactions are ended by Database
    )

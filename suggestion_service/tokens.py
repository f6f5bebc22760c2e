"""Tokens by which a server knows its callers, and what each of them may reach."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from katib.core.errors import SpecError
from suggestion_service.security import ServerSecurity, Watched, read_pem, read_token

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Grant:
    """namespaces: what a caller may reach, None for everything."""

    namespaces: frozenset[str] | None = None

    def reaches(self, namespace: str) -> bool:
        """Whether the caller may see and change what is in ``namespace``."""
        return self.namespaces is None or namespace in self.namespaces


class Tokens:
    """The tokens in force. Every one is compared, in constant time, so that no timing tells of any."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        self._grants = tuple((f"Bearer {token}".encode(), grant) for token, grant in grants.items())

    def grant(self, authorization: bytes) -> Grant | None:
        """What the sender of the header ``authorization`` may reach, None for strangers."""
        found = None
        for expected, grant in self._grants:
            if hmac.compare_digest(authorization, expected):
                found = grant
        return found


def tokens_of(security: ServerSecurity) -> Callable[[], Tokens] | None:
    """Gives the tokens in force now; None if callers need none. Raises SpecError on ones that cannot be used."""
    file = security.token_file
    if file is not None:
        watched = Watched([file], lambda: Tokens(_read(file)))

        def current() -> Tokens:
            watched.changed()
            return watched.value

        return current
    if security.token:
        tokens = Tokens({read_token(security.token, None): Grant()})
        return lambda: tokens
    return None


def _read(file: Path) -> dict[str, Grant]:
    """One token a line, ``TOKEN`` or ``TOKEN namespace,namespace``; empty lines and ones that begin with # are skipped.
    Raises SpecError."""
    grants: dict[str, Grant] = {}
    for number, line in enumerate(read_pem(file, "token").decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"token: {file}, line {number}"
        if len(words) > 2:
            raise SpecError(f"{where}: got {len(words)} words, expected TOKEN or TOKEN namespace,namespace")
        token = read_token(words[0], None)
        if token in grants:
            raise SpecError(f"{where}: this token stands there twice")
        grants[token] = Grant(_namespaces(words[1], where)) if len(words) == 2 else Grant()
    if not grants:
        raise SpecError(f"token: {file} is empty")
    return grants


def _namespaces(text: str, where: str) -> frozenset[str]:
    names = text.split(",")
    for name in names:
        if not _NAMESPACE.fullmatch(name):
            raise SpecError(f"{where}: got the namespace {name!r}, expected small letters, digits and hyphens")
    return frozenset(names)

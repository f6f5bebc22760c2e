"""What work on a whole database comes to. Of a module of its own, so that who reads it loads no database library."""

from __future__ import annotations

from typing import Any, NamedTuple


class Damage(NamedTuple):
    """Something that cannot be as it was written. record: its name; table: where it belongs."""

    table: str
    record: str
    text: str


class Report(NamedTuple):
    """What a check found. database: its name. version: of the tables. rows: how many were read, by table."""

    database: str
    version: str
    rows: dict[str, int]
    damages: tuple[Damage, ...]

    def tree(self) -> dict[str, Any]:
        """As JSON."""
        return {**self._asdict(), "damages": [damage._asdict() for damage in self.damages]}


class Migrated(NamedTuple):
    """Versions of the tables; before: None if there were none. database: its name."""

    database: str
    before: str | None
    after: str

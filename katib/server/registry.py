"""All kinds that the API has, found by the path of a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from katib.server.kinds import Kind
from katib.server.objects import Collection


class Registry:
    """The collections by group, version and plural."""

    def __init__(self, collections: Iterable[Collection]) -> None:
        self._by_path = {(c.kind.group, c.kind.version, c.kind.plural): c for c in collections}

    def __iter__(self) -> Iterator[Collection]:
        return iter(self._by_path.values())

    def find(self, group: str, version: str, plural: str) -> Collection | None:
        """The collection, None if there is none."""
        return self._by_path.get((group, version, plural))

    @property
    def versions(self) -> list[tuple[str, str]]:
        """(group, version) of all kinds, the core group's with an empty group first."""
        return sorted({(group, version) for group, version, _ in self._by_path})

    def kinds(self, group: str, version: str) -> list[Kind]:
        """The kinds of one version of a group."""
        return [c.kind for (g, v, _), c in sorted(self._by_path.items()) if (g, v) == (group, version)]

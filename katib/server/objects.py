"""What the handlers are given of each kind: its objects as trees of JSON, found, listed, followed, and some written.

Objects are projections of the mirror's snapshots. Each is made when it is first asked for and kept as long as it is
the newest, as a tree and as the bytes of its JSON, so that many readers and watches share the work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from katib.server.kinds import Kind
from katib.server.mirror import AnyChange, ChangeType

Tree = dict[str, Any]

_write = json.JSONEncoder(check_circular=False, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Object:
    """One object as it was at ``revision``. The tree is shared: nobody changes it."""

    __slots__ = ("_body", "revision", "tree")

    def __init__(self, tree: Tree, revision: int) -> None:
        """tree: without its resourceVersion, which is put in."""
        self.tree: Tree = tree
        self.revision = revision
        tree["metadata"]["resourceVersion"] = str(revision)
        self._body: bytes | None = None

    @property
    def body(self) -> bytes:
        """Its JSON."""
        if self._body is None:
            self._body = encode(self.tree)
        return self._body

    @property
    def name(self) -> str:
        """metadata.name."""
        return str(self.tree["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """metadata.namespace, empty if its kind has none."""
        return str(self.tree["metadata"].get("namespace", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """metadata.labels."""
        labels: Mapping[str, str] = self.tree["metadata"].get("labels") or {}
        return labels


def encode(tree: Any) -> bytes:
    """JSON as clients get it. Infinities and NaN cannot be in a resource: numbers that may be so are texts there."""
    return _write(tree).encode()


class Event(NamedTuple):
    """What a watch tells of an object."""

    type: ChangeType
    object: Object


class Collection(Protocol):
    """All objects of a kind."""

    @property
    def kind(self) -> Kind:
        """The kind."""
        ...

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, None if there is none."""
        ...

    def list(self, namespace: str | None) -> list[Object]:
        """The objects of a namespace, of all namespaces for None, in order of (namespace, name)."""
        ...

    def events(self, changes: Iterable[AnyChange]) -> Iterator[Event]:
        """What these changes, which have all happened, mean for objects of this kind; objects as they are now."""
        ...


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a write was asked for. dry_run: check all, store nothing. strict: unknown fields are an error; they are
    warned of otherwise, or not even that if ``quiet``. uid, revision: the write is refused if the object has others.
    manager: who writes; ``applies`` if he said so himself. force: an apply takes over what others manage."""

    dry_run: bool = False
    strict: bool = False
    quiet: bool = False
    uid: str = ""
    revision: str = ""
    manager: str = ""
    applies: bool = False
    force: bool = False


class Written(NamedTuple):
    """A write that was carried out. warnings: for the user."""

    object: Object
    warnings: tuple[str, ...] = ()


class WritableCollection(Collection, Protocol):
    """A kind whose objects clients may write. Every method returns when readers see the write, and raises SpecError,
    AlreadyExistsError, NotFoundError, ConflictError, UnavailableError."""

    def create(self, namespace: str, tree: Tree, options: WriteOptions) -> Written:
        """Store a new object."""
        ...

    def replace(self, namespace: str, name: str, tree: Tree, options: WriteOptions) -> Written:
        """Put another content in its place."""
        ...

    def delete(self, namespace: str, name: str, options: WriteOptions) -> Object:
        """Remove it; the object as it was last. It may be there for some time yet."""
        ...


@dataclass(slots=True)
class Cache:
    """Objects by what tells them apart, each of the revision it was last asked for."""

    _kept: dict[Hashable, Object] = field(default_factory=dict)

    def get(self, key: Hashable, revision: int, make: Callable[[], Tree]) -> Object:
        """The object at ``revision``."""
        known = self._kept.get(key)
        if known is not None and known.revision == revision:
            return known
        made = Object(make(), revision)
        self._kept[key] = made
        return made

    def drop(self, key: Hashable) -> None:
        """Forget an object that is gone."""
        self._kept.pop(key, None)

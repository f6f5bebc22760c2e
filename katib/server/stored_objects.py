"""Kinds that are kept as they were sent, in the store's documents: ConfigMaps and namespaces."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from katib.core.documents import Document, DocumentKey
from katib.core.errors import AlreadyExistsError, ConflictError, NotFoundError, Problem, SpecError
from katib.core.store_ports import Documents
from katib.resources.status_conditions import rfc3339
from katib.server.kinds import CONFIG_MAP, NAMESPACE, Kind
from katib.server.mirror import AnyChange, ChangeType, DocumentChange, Mirror
from katib.server.objects import Cache, Event, Object, Tree, WritableCollection, WriteOptions, Written
from katib.server.writing import modified

MAX_CONFIG_MAP = 1024 * 1024  # bytes of all its values, as Kubernetes has it
DEFAULT = "default"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_METADATA = ("labels", "annotations", "finalizers", "ownerReferences", "managedFields")


class StoredObjects:
    """The objects of one kind. Subclasses say which contents are right."""

    kind: Kind

    def __init__(self, mirror: Mirror, documents: Documents) -> None:
        self._mirror = mirror
        self._documents = documents
        self._cache = Cache()

    def check(self, tree: Tree) -> Tree:
        """The content that is kept of ``tree``, without its metadata. Raises SpecError."""
        raise NotImplementedError

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, None if there is none."""
        document = self._mirror.document(self._key(namespace, name))
        return None if document is None else self._of(document)

    def list(self, namespace: str | None) -> list[Object]:
        """The objects of a namespace, of all for None."""
        return [self._of(document) for document in self._mirror.documents(self.kind.plural, namespace)]

    def events(self, changes: Iterable[AnyChange]) -> Iterator[Event]:
        """What became of them."""
        for change in changes:
            if not isinstance(change, DocumentChange) or change.document.key.kind != self.kind.plural:
                continue
            if change.type is ChangeType.DELETED:
                self._cache.drop(change.document.key)
                yield Event(change.type, Object(self._tree(change.document), change.revision))
            else:
                yield Event(change.type, self._of(change.document))

    def create(self, namespace: str, tree: Tree, options: WriteOptions) -> Written:
        """Store a new object."""
        key = self._key(namespace, str(tree["metadata"]["name"]))
        document = Document(key, self._content(tree), str(uuid.uuid4()), time.time())
        if self._mirror.document(key) is not None:
            raise AlreadyExistsError(f'{self.kind.full_name} "{key.name}" already exists')
        if options.dry_run:
            return Written(Object(self._tree(document), 0))
        return self._seen(self._documents.put(document, 0))

    def replace(self, namespace: str, name: str, tree: Tree, options: WriteOptions) -> Written:
        """Put another content in its place."""
        stored = self._stored(namespace, name, options)
        content = self._content(tree)
        wanted = Document(stored.key, content, stored.uid, stored.created, stored.generation, stored.revision)
        if wanted == stored or options.dry_run:
            return Written(Object(self._tree(wanted), stored.revision))
        return self._seen(self._documents.put(wanted, stored.revision))

    def delete(self, namespace: str, name: str, options: WriteOptions) -> Object:
        """Remove it."""
        stored = self._stored(namespace, name, options)
        if not options.dry_run:
            self._mirror.await_revision(self._documents.delete(stored.key, stored.revision))
        return Object(self._tree(stored), stored.revision)

    def _key(self, namespace: str, name: str) -> DocumentKey:
        return DocumentKey(self.kind.plural, namespace if self.kind.namespaced else "", name)

    def _stored(self, namespace: str, name: str, options: WriteOptions) -> Document:
        """The document as it is. Raises NotFoundError, ConflictError if it is not the one that was meant."""
        stored = self._mirror.document(self._key(namespace, name))
        if stored is None:
            raise NotFoundError(f'{self.kind.full_name} "{name}" not found')
        if options.uid not in ("", stored.uid) or options.revision not in ("", str(stored.revision)):
            raise modified(self.kind.full_name, name)
        return stored

    def _content(self, tree: Tree) -> Tree:
        metadata = {field: tree["metadata"][field] for field in _METADATA if tree["metadata"].get(field)}
        problems = [
            Problem(f"metadata.{field}", f"got {metadata[field]!r}, expected a mapping from names to texts")
            for field in ("labels", "annotations")
            if not _is_texts(metadata.get(field, {}))
        ]
        name, pattern = str(tree["metadata"]["name"]), _NAME if self.kind.namespaced else _LABEL
        if not pattern.fullmatch(name) or len(name) > (253 if self.kind.namespaced else 63):
            problems.append(Problem("metadata.name", f"got {name!r}, expected lower-case letters, digits and '-'"))
        if problems:
            raise SpecError(problems)
        return {**self.check(tree), "metadata": metadata}

    def _seen(self, document: Document) -> Written:
        self._mirror.await_revision(document.revision)
        return Written(self._of(document))

    def _of(self, document: Document) -> Object:
        return self._cache.get(document.key, document.revision, lambda: self._tree(document))

    def _tree(self, document: Document) -> Tree:
        _, namespace, name = document.key
        metadata = {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "uid": document.uid,
            "generation": document.generation,
            "creationTimestamp": rfc3339(document.created),
            **document.content.get("metadata", {}),
        }
        content = {field: value for field, value in document.content.items() if field != "metadata"}
        return {"apiVersion": self.kind.api_version, "kind": self.kind.name, "metadata": metadata, **content}


class ConfigMaps(StoredObjects):
    """ConfigMaps, for trial templates."""

    kind = CONFIG_MAP

    def check(self, tree: Tree) -> Tree:
        """``data``, ``binaryData`` and ``immutable``."""
        content = {field: tree[field] for field in ("data", "binaryData", "immutable") if tree.get(field)}
        problems = []
        for field in ("data", "binaryData"):
            given = content.get(field, {})
            if not _is_texts(given):
                problems.append(Problem(field, f"got a {type(given).__name__}, expected a mapping from keys to texts"))
                continue
            bad = [key for key in given if not _KEY.fullmatch(key)]
            problems += [Problem(f"{field}[{k}]", "expected letters, digits, '-', '_' and '.' in a key") for k in bad]
            size = sum(len(value.encode()) for value in given.values())
            if size > MAX_CONFIG_MAP:
                problems.append(Problem(field, f"got {size} bytes, expected at most {MAX_CONFIG_MAP}"))
        if problems:
            raise SpecError(problems)
        return content


class Namespaces(StoredObjects):
    """Namespaces. One exists as soon as something is in it, and ``default`` always; one may also be made beforehand."""

    kind = NAMESPACE

    def __init__(self, mirror: Mirror, documents: Documents, inside: Sequence[WritableCollection]) -> None:
        """inside: what goes with a namespace that is deleted."""
        super().__init__(mirror, documents)
        self._inside = inside

    def make_default(self) -> None:
        """Make the namespace that is always there, so that no list is of the revision 0, which clients take for any."""
        key = self._key("", DEFAULT)
        with suppress(AlreadyExistsError):
            self._documents.put(Document(key, {}, str(uuid.uuid4()), time.time()), 0)

    def check(self, tree: Tree) -> Tree:
        """Nothing but its metadata matters."""
        return {}

    def get(self, namespace: str, name: str) -> Object | None:
        """The namespace, None if there is none."""
        return next((each for each in self.list(None) if each.name == name), None)

    def list(self, namespace: str | None) -> list[Object]:
        """All namespaces."""
        found = {each.name: each for each in super().list(None)}
        used = {snapshot.key.namespace: snapshot.experiment.created for snapshot in self._mirror.snapshots()}
        for name, created in used.items():
            found.setdefault(name, self._of(self._implied(name, created)))
        return [found[name] for name in sorted(found)]

    def delete(self, namespace: str, name: str, options: WriteOptions) -> Object:
        """Remove it with all that is in it."""
        each = self.get("", name)
        if each is None:
            raise NotFoundError(f'{self.kind.full_name} "{name}" not found')
        if name == DEFAULT:
            raise ConflictError(f"the namespace {name!r} is always there")
        if not options.dry_run:
            for collection in self._inside:
                for inner in collection.list(name):
                    collection.delete(name, inner.name, WriteOptions())
            if self._mirror.document(self._key("", name)) is not None:
                super().delete("", name, options)
        return each

    def _implied(self, name: str, created: float) -> Document:
        uid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"namespace/{name}"))
        return Document(self._key("", name), {}, uid, created, revision=1)

    def _tree(self, document: Document) -> Tree:
        return {**super()._tree(document), "spec": {}, "status": {"phase": "Active"}}


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and isinstance(v, str) for k, v in value.items())

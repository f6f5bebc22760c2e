"""The in-memory twin of the documents: same port, same rules."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from katib.core.changes import Touched
from katib.core.documents import Document, DocumentKey
from katib.core.errors import NotFoundError
from katib.core.trial import Key
from katib.storage.rules import check_document


class MemoryDocuments:
    """The port Documents over a dictionary, under the lock of its store."""

    def __init__(self, changed: threading.Condition, next_revision: Callable[[], int]) -> None:
        """changed: the store's lock, which wakes readers of its feed. next_revision: takes the store's next one."""
        self._changed = changed
        self._next_revision = next_revision
        self._documents: dict[DocumentKey, Document] = {}
        self._deleted: dict[DocumentKey, int] = {}

    def get(self, key: DocumentKey) -> Document:
        """The document. Raises NotFoundError."""
        with self._changed:
            if key not in self._documents:
                raise NotFoundError(f"no document {key}")
            return self._documents[key]

    def list(self, kind: str) -> Sequence[Document]:
        """All documents of a kind, in order of (namespace, name)."""
        with self._changed:
            return [self._documents[key] for key in sorted(self._documents) if key.kind == kind]

    def put(self, document: Document, expected: int) -> Document:
        """Write it. Raises AlreadyExistsError, NotFoundError, ConflictError."""
        with self._changed:
            stored = self._check(document.key, expected)
            generation = stored.generation + 1 if stored else 1
            written = replace(document, generation=generation, revision=self._next_revision())
            self._documents[document.key] = written
            self._deleted.pop(document.key, None)
            self._changed.notify_all()
            return written

    def delete(self, key: DocumentKey, expected: int) -> int:
        """Remove it; the revision of that. Raises NotFoundError, ConflictError."""
        with self._changed:
            if self._check(key, expected) is None:
                raise NotFoundError(f"no document {key}")
            del self._documents[key]
            revision = self._deleted[key] = self._next_revision()
            self._changed.notify_all()
            return revision

    def touched(self, since: int) -> Sequence[Touched]:
        """The lines of the change feed on documents."""
        there = [(each.revision, key, False) for key, each in self._documents.items()]
        gone = [(revision, key, True) for key, revision in self._deleted.items()]
        return [
            Touched(revision, Key(key.namespace, key.name), "", deleted, key.kind)
            for revision, key, deleted in there + gone
            if revision > since
        ]

    def _check(self, key: DocumentKey, expected: int) -> Document | None:
        stored = self._documents.get(key)
        check_document(key, stored.revision if stored else None, expected)
        return stored

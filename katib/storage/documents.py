"""Documents in a SQL database."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from katib.core.changes import Touched
from katib.core.documents import Document, DocumentKey
from katib.core.errors import CorruptRecordError, NotFoundError
from katib.core.trial import Key
from katib.storage import document_tables as sql
from katib.storage import statements
from katib.storage.database import Database, Session
from katib.storage.records import check_row, checksum
from katib.storage.rules import check_document


class DocumentRow(NamedTuple):
    """A row of the table ``documents``. deleted: 0 or 1. record: the content as JSON, empty if it was deleted."""

    kind: str
    namespace: str
    name: str
    deleted: int
    revision: int
    generation: int
    uid: str
    created: float
    record: str
    checksum: int = 0

    @property
    def key(self) -> DocumentKey:
        """What it is found by."""
        return DocumentKey(self.kind, self.namespace, self.name)

    def signed(self) -> DocumentRow:
        """The same row with its checksum."""
        return self._replace(checksum=checksum(*self[:-1]))

    def document(self) -> Document:
        """The document. Raises CorruptRecordError."""
        check_row(f"document {self.key}", self)
        return Document(self.key, _read(self), self.uid, self.created, self.generation, self.revision)


class SqlDocuments:
    """The port Documents; to be used by any number of threads and processes at once."""

    def __init__(self, database: Database, committed: Callable[[], None]) -> None:
        """committed: wakes readers of the store's change feed."""
        self._database = database
        self._committed = committed

    def get(self, key: DocumentKey) -> Document:
        """The document. Raises NotFoundError, CorruptRecordError."""
        with self._database.read() as session:
            row = _row(session, key)
        if row is None or row.deleted:
            raise NotFoundError(f"no document {key}")
        return row.document()

    def list(self, kind: str) -> Sequence[Document]:
        """All documents of a kind, in order of (namespace, name)."""
        with self._database.read() as session:
            rows = session.all(sql.ROWS_OF_KIND, kind=kind)
        return [DocumentRow(*row).document() for row in rows]

    def put(self, document: Document, expected: int) -> Document:
        """Write it. Raises AlreadyExistsError, NotFoundError, ConflictError."""
        key = document.key
        with self._database.write() as session:
            row = _checked(session, key, expected)
            generation = 1 if row is None or row.deleted else row.generation + 1
            written = replace(document, generation=generation, revision=_revision(session))
            _write(session, _row_of(written), new=row is None)
        self._committed()
        return written

    def delete(self, key: DocumentKey, expected: int) -> int:
        """Remove it; the revision of that. Raises NotFoundError, ConflictError."""
        with self._database.write() as session:
            row = _checked(session, key, expected)
            if row is None:
                raise NotFoundError(f"no document {key}")
            revision = _revision(session)
            _write(session, row._replace(deleted=1, revision=revision, record=""), new=False)
        self._committed()
        return revision


def touched_documents(session: Session, since: int) -> list[Touched]:
    """The lines of the change feed on documents."""
    rows = session.all(sql.TOUCHED, since=since)
    return [
        Touched(revision, Key(namespace, name), "", bool(gone), kind) for revision, kind, namespace, name, gone in rows
    ]


def _row(session: Session, key: DocumentKey) -> DocumentRow | None:
    columns = session.first(sql.ROW, **key._asdict())
    return None if columns is None else DocumentRow(*columns)


def _checked(session: Session, key: DocumentKey, expected: int) -> DocumentRow | None:
    """The row of the key, if the write is not refused."""
    row = _row(session, key)
    check_document(key, None if row is None or row.deleted else row.revision, expected)
    return row


def _revision(session: Session) -> int:
    """Of this transaction."""
    found = session.first(statements.REVISION)
    if found is None:
        raise CorruptRecordError("database: the row that counts revisions is missing")
    return int(found[0])


def _write(session: Session, row: DocumentRow, *, new: bool) -> None:
    session.run(sql.ADD if new else sql.SET, **row.signed()._asdict())


def _row_of(document: Document) -> DocumentRow:
    record = json.dumps(dict(document.content), separators=(",", ":"), allow_nan=False)
    return DocumentRow(*document.key, 0, document.revision, document.generation, document.uid, document.created, record)


def _read(row: DocumentRow) -> dict[str, object]:
    try:
        content: dict[str, object] = json.loads(row.record)
    except ValueError as error:
        raise CorruptRecordError(f"document {row.key}: {error}") from error
    return content

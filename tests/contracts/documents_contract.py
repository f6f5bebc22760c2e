"""What every store of documents must do. A test module derives a class and gives it a fixture ``opened``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from katib.core.changes import Touched
from katib.core.documents import Document, DocumentKey
from katib.core.errors import AlreadyExistsError, ConflictError, NotFoundError
from katib.core.store_ports import Documents, LoggedStore
from katib.core.trial import Key
from katib.storage import Opened
from tests.contracts.store_contract import create

KEY = DocumentKey("configmaps", "team", "templates")
CONTENT = {"data": {"job.yaml": "é\n\t\"quoted\" 'text'", "empty": ""}, "labels": {}, "list": [1, None, True, 0.5]}


def document(key: DocumentKey = KEY, **fields: object) -> Document:
    return Document(key, CONTENT, uid="uid-1", created=12.5, **fields)


class DocumentsContract:
    """The suite."""

    @pytest.fixture
    def store(self, opened: Opened) -> LoggedStore:
        return opened.store

    @pytest.fixture
    def documents(self, store: LoggedStore) -> Documents:
        return store.documents

    def test_what_was_put_is_got(self, documents):
        written = documents.put(document(), 0)
        assert (written.generation, written.revision > 0) == (1, True)
        assert documents.get(KEY) == written
        assert documents.get(KEY).content == CONTENT

    def test_a_change_is_a_generation(self, documents):
        first = documents.put(document(), 0)
        second = documents.put(Document(KEY, {"data": {}}, "uid-1", 12.5), first.revision)
        assert (second.generation, second.revision > first.revision) == (2, True)
        assert documents.get(KEY) == second

    @pytest.mark.parametrize("expected", [1, 10**9], ids=["older", "newer"])
    def test_a_lost_race_is_a_conflict(self, documents, expected):
        documents.put(document(DocumentKey("configmaps", "team", "other")), 0)
        written = documents.put(document(), 0)
        for write in (lambda: documents.put(document(), expected), lambda: documents.delete(KEY, expected)):
            with pytest.raises(ConflictError):
                write()
        assert documents.get(KEY) == written

    def test_names_are_taken_once(self, documents):
        documents.put(document(), 0)
        with pytest.raises(AlreadyExistsError):
            documents.put(document(), 0)

    def test_what_is_not_there(self, documents):
        for ask in (
            lambda: documents.get(KEY),
            lambda: documents.put(document(), 3),
            lambda: documents.delete(KEY, 3),
        ):
            with pytest.raises(NotFoundError):
                ask()

    def test_lists_are_of_a_kind_and_in_order(self, documents):
        keys = [("configmaps", "b", "a"), ("configmaps", "a", "z"), ("namespaces", "", "a"), ("configmaps", "a", "B")]
        for key in keys:
            documents.put(document(DocumentKey(*key)), 0)
        found = [tuple(each.key)[1:] for each in documents.list("configmaps")]
        assert found == [("a", "B"), ("a", "z"), ("b", "a")]
        assert [each.key.name for each in documents.list("namespaces")] == ["a"]
        assert documents.list("secrets") == []

    def test_deleted_and_created_again(self, documents):
        written = documents.put(document(), 0)
        gone = documents.delete(KEY, written.revision)
        assert (gone > written.revision, documents.list("configmaps")) == (True, [])
        again = documents.put(Document(KEY, {}, "uid-2", 13.0), 0)
        assert (again.generation, again.revision > gone) == (1, True)
        assert documents.get(KEY).uid == "uid-2"

    def test_the_feed_has_them_among_the_experiments(self, store, documents):
        first = documents.put(document(), 0)
        create(store)
        other = documents.put(document(DocumentKey("namespaces", "", "team")), 0)
        lines = [(line.document, line.deleted) for line in store.changes(0)]
        assert lines == [("configmaps", False), ("", False), ("namespaces", False)]
        revision = documents.delete(KEY, first.revision)
        assert store.changes(other.revision) == [Touched(revision, Key("team", "templates"), "", True, "configmaps")]

    def test_the_feed_wakes(self, store, documents):
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(store.changes, 0, 20.0)
            written = documents.put(document(), 0)
            assert [line.revision for line in waiting.result(10)] == [written.revision]

    def test_one_of_many_writers_wins(self, documents):
        written = documents.put(document(), 0)

        def write(number: int) -> bool:
            try:
                documents.put(Document(KEY, {"number": number}, "uid-1"), written.revision)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(write, range(16))) == 1
        assert documents.get(KEY).generation == 2

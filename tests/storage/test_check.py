"""The check of a store: nothing to say of a sound one, and each kind of damage named, on every database."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from katib.cli.main import main
from katib.core.changes import Changes, Event
from katib.core.documents import Document, DocumentKey
from katib.core.errors import KatibError, NotFoundError, PermanentError
from katib.core.experiment import ExperimentStatus
from katib.core.objective import Measurement
from katib.core.observation_log import Report
from katib.core.trial import Key
from katib.storage import check_store, open_store
from katib.storage.opening import _open_database
from tests.contracts.store_contract import KEY, create, measured, trial
from tests.database_servers import SERVERS

OTHER = Key("team", "other")


@pytest.fixture
def filled(store_url: str) -> str:
    """A store with two experiments, a deletion, and a log."""
    store, leases = open_store(store_url)
    create(store, Key("team", "gone"))  # 1
    store.commit(Changes(Key("team", "gone"), delete=True))  # 2
    create(store)  # 3
    create(store, OTHER)  # 4
    for number in range(3):  # 5, 6, 7
        change = (measured(trial(number), 0.5, 0.25),)
        store.commit(Changes(KEY, trials=change, events=(Event(1.0, "Normal", "Added", str(number)),)))
    store.commit(Changes(OTHER, status=ExperimentStatus(message="idle")))  # 8
    leases.acquire(KEY, "afar:1:1.0", ttl=1.0)
    for i in range(2):
        store.log.append("team", "study-0000", Report((Measurement("loss", 0.5, "0.5", 1.0),) * 2, id=str(i)))
    gone, _ = (store.documents.put(Document(DocumentKey("configmaps", "team", n)), 0) for n in "ab")  # 9, 10
    store.documents.delete(gone.key, gone.revision)  # 11
    store.close()
    return store_url


everywhere = pytest.mark.parametrize("store_url", ["sqlite", *SERVERS], indirect=True)


@everywhere
def test_a_sound_store(filled: str) -> None:
    report = check_store(filled)
    assert report.damages == ()
    assert report.rows == {
        "experiments": 2,
        "definitions": 2,
        "trials": 3,
        "measurements": 6,
        "events": 3,
        "tombstones": 1,
        "leases": 1,
        "observation_log": 4,
        "documents": 2,
        "meta": 1,
    }


DAMAGES = {
    "experiment": ("UPDATE experiments SET seq = 7 WHERE name = 'other'", "experiments", "experiment team/other"),
    "status": ("UPDATE experiments SET status = '{}' WHERE name = 'other'", "experiments", "experiment team/other"),
    "definition": ("UPDATE definitions SET record = '{}' WHERE experiment = 3", "experiments", "experiment team/study"),
    "no definition": ("DELETE FROM definitions WHERE experiment = 4", "definitions", "experiment team/other"),
    "trial": ("UPDATE trials SET record = '{}' WHERE number = 1", "trials", "trial team/study-0001"),
    "lost trial": ("DELETE FROM trials WHERE number = 1", "trials", "experiment team/study"),
    "order": ("UPDATE trials SET revision = 9 WHERE number = 0", "trials", "trial team/study-0000"),
    "sequence": ("UPDATE trials SET seq = 99 WHERE number = 2", "trials", "experiment team/study"),
    "namespace": ("UPDATE trials SET namespace = 'x' WHERE number = 2", "trials", "trial x/study-0002"),
    "document": (
        "UPDATE documents SET record = '[]' WHERE name = 'b'",
        "documents",
        "document configmaps/team/b",
    ),
    "measurement": (
        "UPDATE measurements SET record = '{}' WHERE number = 2 AND sequence = 1",
        "measurements",
        "measurement 1 of trial number 2 of experiment team/study",
    ),
    "lost measurement": ("DELETE FROM measurements WHERE number = 2 AND sequence = 1", "measurements",
                         "trial team/study-0002"),
    "stray measurement": ("UPDATE measurements SET number = 9 WHERE number = 2", "measurements",
                          "measurements of trial number 9 of experiment team/study"),
    "event": ("UPDATE events SET record = '{}' WHERE revision = 6", "events",
              "event 0 of revision 6 of experiment team/study"),
    "lost event": ("DELETE FROM events WHERE revision = 6", "events", "experiment team/study"),
    "stray event": ("UPDATE events SET revision = 2 WHERE revision = 6", "events",
                    "event 0 of revision 2 of experiment team/study"),
    "orphans": ("UPDATE experiments SET id = 99 WHERE id = 3", "trials", "3 rows of experiment 3"),
    "revision": ("UPDATE meta SET revision = 7", "meta", "experiment team/other"),
    "revision twice": ("UPDATE tombstones SET revision = 8", "meta", "the deletion of experiment team/gone"),
    "no revisions": ("DELETE FROM meta", "meta", "the count of revisions"),
    "fence": ("UPDATE leases SET fence = 0", "leases", "lease of team/study"),
    "log": ("UPDATE observation_log SET record = '{}' WHERE sequence = 1", "observation_log",
            "row 1 of the observation log of trial team/study-0000"),
    "lost log": ("DELETE FROM observation_log WHERE sequence = 1", "observation_log",
                 "observation log of trial team/study-0000"),
}  # fmt: skip


@everywhere
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_named(filled: str, name: str) -> None:
    statement, table, record = DAMAGES[name]
    execute(filled, statement)
    assert (table, record) in {(damage.table, damage.record) for damage in check_store(filled).damages}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_text_that_is_no_text_is_named_by_its_place(filled: str) -> None:
    execute(filled, "UPDATE trials SET record = CAST(x'ff00fe' AS TEXT) WHERE number = 1")
    damages = {(damage.table, damage.record) for damage in check_store(filled).damages}
    assert ("trials", "trials of experiment team/study") in damages


@pytest.mark.parametrize("store_url", ["sqlite", *SERVERS], indirect=True)
def test_the_command(filled: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["store", "check", "--store", filled]) == 0
    assert ": sound\n" in capsys.readouterr().out
    execute(filled, "UPDATE trials SET record = '{}' WHERE number = 1")
    execute(filled, "DELETE FROM events WHERE revision = 6")
    monkeypatch.setenv("KATIB_STORE", filled)
    assert main(["store", "check"]) == 1
    printed = capsys.readouterr().out
    assert "damaged: trial team/study-0001: the stored record does not match its checksum\n" in printed
    assert "damaged: experiment team/study: 3 events were written, 2 are there\n" in printed
    assert "not%20a%20secret" not in printed
    assert main(["store", "check", "-o", "json"]) == 1
    tree = json.loads(capsys.readouterr().out)
    assert (tree["rows"]["trials"], len(tree["damages"])) == (3, 2)
    assert main(["store", "migrate"]) == 0
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("url", "error"),
    [
        pytest.param("sqlite:///{folder}/a/katib.db", NotFoundError, id="no file"),
        pytest.param("sqlite:///{folder}/empty.db", PermanentError, id="no tables"),
    ],
)
def test_nothing_is_made_by_looking(tmp_path: Path, url: str, error: type[KatibError]) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(error):
        check_store(url.format(folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["empty.db"]


def execute(url: str, statement: str) -> None:
    """Somebody else writes."""
    with closing(_open_database(url)) as database, database.engine.connect() as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0
        connection.commit()

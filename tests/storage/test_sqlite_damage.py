"""Damaged SQLite files: a torn log loses whole commits at its end and no more; a changed bit is never a wrong value."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katib.core.changes import Changes, Event
from katib.core.errors import CorruptRecordError, KatibError, NotFoundError, UnavailableError
from katib.core.experiment import ExperimentStatus
from katib.core.ports import Store
from katib.core.trial import TrialState
from katib.storage import open_store
from tests.contracts.store_contract import KEY, create, measured, trial

TRIALS = 24


def fill(store: Store) -> Iterator[object]:
    """Create an experiment and add trials; what the store holds after each commit."""
    create(store)
    yield contents(store)
    for number in range(TRIALS):
        status = ExperimentStatus({TrialState.PENDING: number + 1})
        changed = (measured(trial(number, message="m" * 100), 0.5, 0.25),)
        store.commit(Changes(KEY, status=status, trials=changed, events=(Event(1.0, "Normal", "Added", f"{number}"),)))
        yield contents(store)


def contents(store: Store) -> object:
    """All that can be read of the experiment."""
    return store.get(KEY), list(store.trials(KEY)), list(store.curve(KEY)), list(store.events(KEY)), store.changes(0)


def test_a_torn_log_loses_only_the_last_commits(tmp_path: Path) -> None:
    file = tmp_path / "katib.db"
    store, _ = open_store(f"sqlite:///{file}")
    states = list(fill(store))
    log = Path(f"{file}-wal").read_bytes()
    lost = set()
    for cut in range(0, 4096 + 1, 64):
        copy = tmp_path / f"cut-{cut}.db"
        shutil.copyfile(file, copy)
        Path(f"{copy}-wal").write_bytes(log[: len(log) - cut])
        torn, _ = open_store(f"sqlite:///{copy}")
        lost.add(len(states) - 1 - states.index(contents(torn)))
        torn.close()
    store.close()
    assert lost == {0, 1}


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, object]:
    """The bytes of a closed database, and what is in it."""
    file = tmp_path_factory.mktemp("intact") / "katib.db"
    store, _ = open_store(f"sqlite:///{file}")
    *_, state = fill(store)
    store.close()
    return file.read_bytes(), state


def record_places(data: bytes, folder: Path) -> list[tuple[int, int]]:
    """(start, length) of the records in the file, with the columns beside them."""
    (folder / "copy.db").write_bytes(data)
    with closing(sqlite3.connect(folder / "copy.db")) as connection:
        tables = {"experiments": "status", "definitions": "record", "trials": "record"}
        tables |= {"measurements": "record", "events": "record"}
        texts = [row[0] for t, c in tables.items() for row in connection.execute(f"SELECT {c} FROM {t}")]
    found = ((data.find(text.encode()), len(text)) for text in texts)
    return [(start - 40, length + 44) for start, length in found if start > 0]


@pytest.mark.parametrize("where", ["records", "anywhere"])
def test_a_changed_bit_is_an_error_and_never_a_wrong_value(
    intact: tuple[bytes, object], tmp_path: Path, where: str
) -> None:
    data, state = intact
    places = record_places(data, tmp_path)
    assert len(places) > 2 * TRIALS
    if where == "anywhere":
        places = [(0, len(data))]
    chance = random.Random(3)
    noticed = 0
    for i in range(150):
        start, length = chance.choice(places)
        at, bit = start + chance.randrange(length), chance.randrange(8)
        damaged = bytearray(data)
        damaged[at] ^= 1 << bit
        file = tmp_path / f"damaged-{i}.db"
        file.write_bytes(damaged)
        try:
            store, _ = open_store(f"sqlite:///{file}")
        except KatibError:
            noticed += 1
            continue
        try:
            assert contents(store) == state, f"bit {bit} of byte {at}"
        except (CorruptRecordError, UnavailableError):
            noticed += 1
        except NotFoundError:
            assert where == "anywhere"  # its name was hit
        store.close()
    assert noticed > (100 if where == "records" else 10)


@pytest.mark.parametrize(
    ("table", "column", "record"),
    [
        pytest.param("experiments", "status", "experiment team/study", id="status"),
        pytest.param("experiments", "seq", "experiment team/study", id="counter"),
        pytest.param("definitions", "record", "experiment team/study", id="definition"),
        pytest.param("trials", "record", "trial team/study-0000", id="trial"),
        pytest.param("trials", "revision", "trial team/study-0000", id="trial-column"),
        pytest.param("measurements", "record", "measurement 0 of trial number 0 of experiment team/study", id="report"),
        pytest.param("events", "record", "event 0 of revision 2 of experiment team/study", id="event"),
    ],
)
def test_a_record_that_does_not_match_its_checksum_is_named(
    tmp_path: Path, table: str, column: str, record: str
) -> None:
    store, _ = open_store(f"sqlite:///{tmp_path}/katib.db")
    list(fill(store))
    with closing(sqlite3.connect(tmp_path / "katib.db", isolation_level=None)) as other:
        other.execute(f"UPDATE {table} SET {column} = replace({column}, '1', '2') || '1'")
    with pytest.raises(CorruptRecordError, match=record):
        contents(store)
    store.close()


def test_a_damaged_counter_is_not_written_on(tmp_path: Path) -> None:
    store, _ = open_store(f"sqlite:///{tmp_path}/katib.db")
    list(fill(store))
    with closing(sqlite3.connect(tmp_path / "katib.db", isolation_level=None)) as other:
        other.execute("UPDATE experiments SET seq = seq - 1")
    with pytest.raises(CorruptRecordError):
        store.commit(Changes(KEY, status=ExperimentStatus()))
    store.close()


def test_text_that_is_no_text_is_a_corrupt_record(tmp_path: Path) -> None:
    store, _ = open_store(f"sqlite:///{tmp_path}/katib.db")
    list(fill(store))
    with closing(sqlite3.connect(tmp_path / "katib.db", isolation_level=None)) as other:
        other.execute("UPDATE trials SET record = CAST(x'ff00fe' AS TEXT)")
    with pytest.raises(CorruptRecordError):
        store.trials(KEY)
    store.close()

"""Checkpoints are kept whole, outside of the node, and found by the rule of inheritance."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.core.errors import PermanentError
from katib.core.trial import Attempt, AttemptId, Key
from trial_runners import checkpoint_storage
from trial_runners.checkpoint_storage import CheckpointKeeper, CheckpointStorage, state_of

pytest.importorskip("fsspec")


def id_of(trial: str, attempt: int = 1) -> AttemptId:
    return AttemptId(Key("team", "study"), trial, attempt)


def attempt(trial: str, number: int, parent: AttemptId | None = None) -> Attempt:
    return Attempt(id_of(trial, number), 0, {}, parent=parent)


@pytest.fixture(params=["folder", "file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> CheckpointStorage:
    shared = tmp_path / "shared"
    places = {"folder": str(shared), "file": shared.as_uri(), "memory": f"memory://{uuid.uuid4().hex}"}
    return CheckpointStorage(places[request.param])


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_saved_comes_back(storage, tmp_path):
    files = {"model.pt": os.urandom(100_000), "state/epoch.json": b"3", "empty": b""}
    assert storage.save(id_of("a"), written(tmp_path / "one", files))
    assert storage.restore(id_of("a"), tmp_path / "two")
    assert content(tmp_path / "two") == files


def test_the_newest_state_counts(storage, tmp_path):
    folder = written(tmp_path / "one", {"old": b"1", "kept": b"2"})
    storage.save(id_of("a"), folder)
    (folder / "old").unlink()
    storage.save(id_of("a"), written(folder, {"new": b"3"}))
    storage.restore(id_of("a"), tmp_path / "two")
    assert content(tmp_path / "two") == {"kept": b"2", "new": b"3"}


@pytest.mark.parametrize(
    ("saved", "wanted", "found"),
    [
        pytest.param([("a", 1), ("a", 2), ("p", 1)], attempt("a", 3, id_of("p")), ("a", 2), id="last-attempt"),
        pytest.param([("a", 1), ("p", 1)], attempt("a", 3, id_of("p")), ("a", 1), id="last-that-left-one"),
        pytest.param([("p", 1)], attempt("a", 2, id_of("p")), ("p", 1), id="parent"),
        pytest.param([("a", 2), ("b", 1)], attempt("a", 2, id_of("p")), None, id="none"),
    ],
)
def test_inheritance(storage, tmp_path, saved, wanted, found):
    for trial, number in saved:
        name = f"{trial}-{number}"
        storage.save(id_of(trial, number), written(tmp_path / name, {"who": name.encode()}))
    folder = tmp_path / "begins"
    whose = storage.fetch(wanted, folder)
    assert whose == (id_of(*found) if found else None)
    assert content(folder) == ({"who": f"{found[0]}-{found[1]}".encode()} if found else {})
    assert folder.exists() is (found is not None)


def test_nothing_is_saved_of_an_empty_or_missing_folder(storage, tmp_path):
    (tmp_path / "empty").mkdir()
    assert not storage.save(id_of("a"), tmp_path / "empty")
    assert not storage.save(id_of("a"), tmp_path / "missing")
    assert not storage.restore(id_of("a"), tmp_path / "two")


def test_a_removed_one_is_gone(storage, tmp_path):
    storage.save(id_of("a"), written(tmp_path / "one", {"x": b"1"}))
    storage.remove(id_of("a"))
    storage.remove(id_of("a"))
    assert not storage.restore(id_of("a"), tmp_path / "two")


def test_a_state_that_changes_meanwhile_is_not_saved(storage, tmp_path, monkeypatch):
    folder = written(tmp_path / "one", {"x": b"whole"})
    storage.save(id_of("a"), folder)
    states = iter([(("x", 1, 1),), (("x", 2, 2),)])
    written(folder, {"x": b"half"})
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_storage, "state_of", lambda folder: next(states))
        assert not storage.save(id_of("a"), folder)
    storage.restore(id_of("a"), tmp_path / "two")
    assert content(tmp_path / "two") == {"x": b"whole"}


def test_a_save_that_breaks_off_leaves_the_one_before(tmp_path, monkeypatch):
    storage = CheckpointStorage(str(tmp_path / "shared"))
    folder = written(tmp_path / "one", {"x": b"whole"})
    storage.save(id_of("a"), folder)

    def breaks(source, target):
        target.write(source.read(100))
        raise OSError("disk full")

    written(folder, {"x": b"later"})
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfileobj", breaks)
        with pytest.raises(OSError, match="disk full"):
            storage.save(id_of("a"), folder)
    storage.restore(id_of("a"), tmp_path / "two")
    assert content(tmp_path / "two") == {"x": b"whole"}
    assert [path.suffix for path in (tmp_path / "shared").rglob("*") if path.is_file()] == [".tar"]


def test_a_damaged_one_is_an_error(tmp_path):
    storage = CheckpointStorage(str(tmp_path / "shared"))
    storage.save(id_of("a"), written(tmp_path / "one", {"x": os.urandom(5000)}))
    (tar,) = (tmp_path / "shared").rglob("*.tar")
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(OSError, match="checkpoint of a, attempt 1, is damaged"):
        storage.restore(id_of("a"), tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_url_that_no_package_knows(tmp_path):
    with pytest.raises(PermanentError, match=r"checkpoints at 'nosuch://x': .*nosuch"):
        CheckpointStorage("nosuch://x")


class TestKeeper:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(checkpoint_storage, "LOOK_SECONDS", 0.05)

    def saved(self, storage: CheckpointStorage, tmp_path: Path) -> dict[str, bytes]:
        return content(tmp_path / "two") if storage.restore(id_of("a"), tmp_path / "two") else {}

    def test_a_quiet_change_is_saved_while_the_trial_runs(self, storage, tmp_path):
        keeper = CheckpointKeeper(storage, id_of("a"), tmp_path / "one")
        written(tmp_path / "one", {"x": b"1"})
        deadline = time.monotonic() + 10
        while self.saved(storage, tmp_path) != {"x": b"1"}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        keeper.close()

    def test_the_last_state_is_saved_at_the_end(self, storage, tmp_path):
        keeper = CheckpointKeeper(storage, id_of("a"), tmp_path / "one")
        written(tmp_path / "one", {"x": b"last"})
        keeper.close()
        assert self.saved(storage, tmp_path) == {"x": b"last"}

    def test_what_was_inherited_is_saved_at_the_end_alone(self, storage, tmp_path):
        keeper = CheckpointKeeper(storage, id_of("a"), written(tmp_path / "one", {"x": b"inherited"}))
        time.sleep(3 * checkpoint_storage.LOOK_SECONDS)
        assert self.saved(storage, tmp_path) == {}
        keeper.close()
        assert self.saved(storage, tmp_path) == {"x": b"inherited"}

    def test_trouble_is_told(self, tmp_path):
        (tmp_path / "shared").write_text("a file, not a folder")
        keeper = CheckpointKeeper(CheckpointStorage(str(tmp_path / "shared")), id_of("a"), tmp_path / "one")
        written(tmp_path / "one", {"x": b"1"})
        keeper.close()
        assert keeper.problem.startswith("the checkpoint cannot be saved: ")


NAMES = st.text("abcö. -", min_size=1, max_size=5).filter(lambda name: name.strip(". "))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(PATHS, st.binary(max_size=300), min_size=1, max_size=5))
def test_any_tree_comes_back(tmp_path_factory, files):
    place = tmp_path_factory.mktemp("tree")
    files = {name: data for name, data in files.items() if not any(o.startswith(f"{name}/") for o in files)}
    folder = written(place / "one", files)
    storage = CheckpointStorage(str(place / "shared"))
    assert storage.save(id_of("a"), folder)
    assert storage.restore(id_of("a"), place / "two")
    assert content(place / "two") == files
    assert [name for name, *_ in state_of(folder)] == sorted(files)

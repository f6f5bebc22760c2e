"""Where metrics are read on this machine: files that grow or are written anew, folders of event files."""

from __future__ import annotations

from pathlib import Path

import pytest

from katib.core.ports import Chunk
from katib.core.trial import Cursor
from trial_runners.local import event_folder
from trial_runners.local.event_folder import EventFolder
from trial_runners.local.growing_file import GrowingFile


class Reader:
    """Reads a source as the engine does: the cursor moves behind what was used. lines: only whole ones are used."""

    def __init__(self, source: GrowingFile | EventFolder, lines: bool = True) -> None:
        self.source = source
        self.lines = lines
        self.cursors: dict[str, Cursor] = {}

    def read(self, ended: bool = False) -> list[str]:
        found = []
        for chunk in self.source.read(self.cursors, ended).chunks:
            used = chunk.data.rfind(b"\n") + 1 if self.lines and not chunk.final else len(chunk.data)
            self.cursors[chunk.source] = Cursor(chunk.start.offset + used)
            found.append(chunk.data[:used].decode())
        return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.log"


@pytest.fixture
def reader(path: Path) -> Reader:
    return Reader(GrowingFile("metrics", path))


def test_a_file_that_grows(reader: Reader, path: Path) -> None:
    assert reader.read() == []
    path.write_text("one\ntw")
    assert reader.read() == ["one\n"]
    assert reader.read() == [""]
    with path.open("a") as file:
        file.write("o\nthree")
    assert reader.read() == ["two\n"]
    assert reader.read(ended=True) == ["three"]


@pytest.mark.parametrize("before", ["loss=0.1\n", "loss=0.25 and more\n", "loss=0.1\nlos"])
@pytest.mark.parametrize("after", ["loss=0.2\n", "x=1\n", "loss=0.3\nloss=0.4\nloss=0.5 and much more than before\n"])
@pytest.mark.parametrize("by", ["truncation", "another file in its place"])
def test_a_file_that_is_written_anew(reader: Reader, path: Path, before: str, after: str, by: str) -> None:
    path.write_text(before)
    assert reader.read() == [before[: before.rfind("\n") + 1]]
    if by == "truncation":
        path.write_text(after)
    else:
        (path.parent / "aside").write_text(after)
        (path.parent / "aside").replace(path)
    assert reader.read() == [after]
    assert "".join(reader.read()) == ""


def test_a_file_whose_beginning_is_written_again_before_more_goes_on(reader: Reader, path: Path) -> None:
    path.write_text("loss=0.3\n")
    assert reader.read() == ["loss=0.3\n"]
    path.write_text("loss=0.3\nloss=0.2\n")
    assert reader.read() == ["loss=0.2\n"]


def test_a_file_that_is_only_touched_is_not_read_again(reader: Reader, path: Path) -> None:
    path.write_text("loss=0.3\n")
    reader.read()
    path.touch()
    assert reader.read() == []
    reader.cursors = {"metrics": Cursor(9)}
    reader.source = GrowingFile("metrics", path)  # as after a restart of the engine
    assert reader.read() == []
    path.write_text("loss=0.3\nloss=0.2\n")
    assert reader.read() == ["loss=0.2\n"]


def test_a_file_that_goes_away_ends_where_it_was(reader: Reader, path: Path) -> None:
    path.write_text("loss=0.3\n")
    reader.read()
    path.unlink()
    assert reader.read() == []
    assert reader.read(ended=True) == [""]


def test_event_files_are_found_while_they_come(tmp_path: Path) -> None:
    reader = Reader(EventFolder(tmp_path / "tf"), lines=False)
    assert reader.read() == []
    (tmp_path / "tf" / "train").mkdir(parents=True)
    (tmp_path / "tf" / "notes.txt").write_text("no")
    (tmp_path / "tf" / "events.out.tfevents.1.host").write_text("a")
    reader.source._look_at = 0.0
    assert reader.read() == ["a"]
    (tmp_path / "tf" / "train" / "events.out.tfevents.2.host.v2").write_text("b")
    with (tmp_path / "tf" / "events.out.tfevents.1.host").open("a") as file:
        file.write("c")
    reader.source._look_at = 0.0
    assert reader.read() == ["c", "b"]
    assert set(reader.cursors) == {"events.out.tfevents.1.host", "train/events.out.tfevents.2.host.v2"}
    (tmp_path / "tf" / "late.tfevents").write_text("d")
    assert reader.read(ended=True) == ["", "d", ""], "all that is there is looked for at the end"


def test_all_event_files_together_are_read_a_chunk_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_folder, "CHUNK_BYTES", 10)
    for number in range(4):
        (tmp_path / f"{number}.tfevents").write_bytes(bytes([number]) * 8)
    source, cursors, rounds = EventFolder(tmp_path), {}, 0
    read: dict[str, bytes] = {}
    finals: list[str] = []
    while True:
        rounds += 1
        chunks, more = source.read(cursors, True)
        for chunk in chunks:
            assert isinstance(chunk, Chunk)
            read[chunk.source] = read.get(chunk.source, b"") + chunk.data
            cursors[chunk.source] = Cursor(chunk.start.offset + len(chunk.data))
            finals += [chunk.source] * chunk.final
        if not more:
            break
    assert read == {f"{number}.tfevents": bytes([number]) * 8 for number in range(4)}
    assert rounds >= 2
    assert set(finals) == set(read)


def test_names_that_are_no_text_can_be_stored(tmp_path: Path) -> None:
    Path(str(tmp_path), b"\xff.tfevents".decode("utf-8", "surrogateescape")).write_text("a")
    (chunk,) = EventFolder(tmp_path).read({}, True).chunks
    assert chunk.source.encode()
    assert chunk.data == b"a"


def test_links_are_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "tf").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.tfevents").write_text("a")
    (tmp_path / "tf" / "link").symlink_to(tmp_path / "elsewhere")
    assert EventFolder(tmp_path / "tf").read({}, True).chunks == ()

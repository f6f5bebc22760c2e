"""The echo of metric files: what it writes out, and when it ends. Processes run in a namespace as a pod's have it."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from katib.core.trial import Cursor
from tests.trial_runners import process_namespace
from tests.trial_runners.process_namespace import Pod
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.kubernetes import collector
from trial_runners.kubernetes.collecting import SCRIPT
from trial_runners.kubernetes.sources import Collection


@pytest.fixture
def echoed(monkeypatch: pytest.MonkeyPatch) -> bytearray:
    """What it writes out."""
    data = bytearray()
    monkeypatch.setattr(collector, "write", data.extend)
    return data


def add(path: Path, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)


def test_lines_are_echoed_as_they_are(tmp_path: Path, echoed: bytearray) -> None:
    path = tmp_path / "m.log"
    file = collector.Text(str(path))
    file.echo(False)
    assert (bytes(echoed), file.found, file.described()) == (b"", False, f"{path} was not written")
    for text, seen in (("löss=1\nlo", "löss=1\n"), ("ss=2", "löss=1\n"), ("\r\n", "löss=1\nloss=2\r\n")):
        add(path, text)
        file.echo(False)
        assert echoed.decode() == seen
    add(path, "the end")
    file.echo(True)
    file.echo(True)
    assert echoed.decode() == "löss=1\nloss=2\r\nthe end"
    assert file.described() == f"{path} has {path.stat().st_size} bytes"


def test_a_line_without_end_is_not_held_for_ever(tmp_path: Path, echoed: bytearray) -> None:
    path = tmp_path / "m.log"
    add(path, "x" * (3 << 20))
    collector.Text(str(path)).echo(False)
    assert len(echoed) == 3 << 20


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("a=1\n", "a=2\n", "a=1\na=2\n", id="as long"),
        pytest.param("a=1\nb=1\n", "a=2\n", "a=1\nb=1\na=2\n", id="shorter"),
        pytest.param("a=1\n", "a=2\nb=2\n", "a=1\na=2\nb=2\n", id="longer"),
        pytest.param("a=1\n", "a=1\nb=2\n", "a=1\nb=2\n", id="longer with the same start"),
        pytest.param("a=1\nb", "c=1\n", "a=1\nc=1\n", id="half a line is dropped"),
    ],
)
def test_a_file_that_is_written_anew(tmp_path: Path, echoed: bytearray, before: str, after: str, expected: str) -> None:
    path = tmp_path / "m.log"
    file = collector.Text(str(path))
    path.write_text(before)
    file.echo(False)
    aside = tmp_path / "aside"
    aside.write_text(after)
    aside.replace(path)
    file.echo(True)
    assert echoed.decode() == expected


def record(data: bytes) -> bytes:
    """A record of an event file, its checksums left out."""
    return struct.pack("<Q4x", len(data)) + data + b"crc."


def decoded(tmp_path: Path, echo: bytes, *more: bytes) -> dict[str, bytes]:
    """The files that the runner makes of an echo that comes in pieces."""
    folder = AttemptFolder(tmp_path / "attempt")
    folder.path.mkdir(parents=True, exist_ok=True)
    collection = Collection("TensorFlowEvent", "echo")
    folder.collected.write_bytes(echo)
    source = collection.source(folder)
    cursors: dict[str, Cursor] = {}
    found: dict[str, bytes] = {}

    def read(ended: bool) -> None:
        more = True
        while more:
            chunks, more = source.read(cursors, ended)
            for chunk in chunks:
                assert chunk.start.offset == len(found.get(chunk.source, b""))
                found[chunk.source] = found.get(chunk.source, b"") + chunk.data
                cursors[chunk.source] = Cursor(chunk.start.offset + len(chunk.data))

    read(not more)
    for index, data in enumerate(more):
        add_bytes(folder.collected, data)
        if index % 2:
            source = collection.source(folder)  # the controller was started again
        read(index == len(more) - 1)
    return found


def add_bytes(path: Path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def test_event_files_come_across(tmp_path: Path, echoed: bytearray) -> None:
    folder = tmp_path / "log"
    (folder / "train").mkdir(parents=True)
    one, two = folder / "events.out.tfevents.1", folder / "train" / "events.out.tfevents.ü"
    files = collector.Events(str(folder))
    assert not files.found
    small, large = record(b"x" * 100), record(b"y" * (collector.MAX_RECORD_BYTES * 3))
    add_bytes(one, small * 300 + small[:50])
    add_bytes(folder / "notes.txt", b"no")
    files.echo(False)
    add_bytes(one, small[50:] + large[:5000])
    files.echo(False)
    assert decoded(tmp_path, bytes(echoed)) == {"events.out.tfevents.1": small * 301}
    add_bytes(one, large[5000:] + small)
    add_bytes(two, small)
    files.echo(False)
    files.echo(True)
    expected = {"events.out.tfevents.1": small * 302, "train/events.out.tfevents.ü": small}
    assert decoded(tmp_path, bytes(echoed)) == expected
    for size in (7, 1000, 20000):
        parts = [bytes(echoed[start : start + size]) for start in range(0, len(echoed), size)]
        assert decoded(tmp_path / str(size), b"".join(parts[:-50]), *parts[-50:]) == expected
    assert files.described() == f"event files in {folder}: events.out.tfevents.1, train/events.out.tfevents.ü"


def test_a_damaged_event_file_is_left_to_others_to_judge(tmp_path: Path, echoed: bytearray) -> None:
    path = tmp_path / "log" / "tfevents"
    path.parent.mkdir()
    damaged = record(b"x" * 10) + b"\xff" * 100 + record(b"y" * 100_000)
    add_bytes(path, damaged)
    files = collector.Events(str(path.parent))
    files.echo(False)
    assert decoded(tmp_path, bytes(echoed)) == {"tfevents": damaged}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Li4vLi4vdGZldmVudHM= 0 eHg=", id="above the folder"),
        pytest.param("L2V0Yy90ZmV2ZW50cw== 0 eHg=", id="absolute"),
        pytest.param("dGZldmVudHM= 99999 eHg=", id="beyond the end"),
        pytest.param("dGZldmVudHM 0 eHg", id="no base64"),
        pytest.param("Traceback (most recent call last):", id="an error"),
        pytest.param("dGZldmVudHM= 0 eHg", id="cut off"),
    ],
)
def test_what_is_no_frame_is_left_out(tmp_path: Path, line: str) -> None:
    assert not any(decoded(tmp_path, line.encode() + b"\n").values())
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"collector.log", "tfevents"}


def test_the_program_is_passed_as_it_is() -> None:
    assert "$" not in SCRIPT
    assert len(SCRIPT) < 32_000
    loaded = "import os, sys; before = set(sys.modules); exec(sys.argv.pop(1)); print(*(set(sys.modules) - before))"
    script = SCRIPT.replace('if __name__ == "__main__":', "if False:")
    command = [sys.executable, "-I", "-S", "-c", loaded, script]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert set(modules) <= {"__future__", "binascii"}, "each module more delays the first look"


def _has_namespaces() -> bool:
    try:
        return subprocess.run(["unshare", "--pid", "--mount-proc", "--fork", "true"], check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    if not _has_namespaces():
        pytest.skip("no process namespaces for us here")
    pod = Pod(tmp_path)
    yield pod
    pod.close()


def output(process: subprocess.Popen[bytes], timeout: float = 10.0) -> bytes:
    found = process.communicate(timeout=timeout)[0]
    assert process.returncode == 0
    return found


def test_it_ends_with_the_training(pod: Pod) -> None:
    echo = pod.echo("fresh", "alone")
    time.sleep(0.8)
    assert echo.poll() is None, "it must wait for a training that starts late"
    training = pod.train("for i in 1 2 3; do echo loss=$i >> $FILE; sleep 0.4; done; printf end >> $FILE")
    while training.poll() is None:
        assert echo.poll() is None
        time.sleep(0.02)
    began = time.monotonic()
    assert output(echo) == b"loss=1\nloss=2\nloss=3\nend"
    assert time.monotonic() - began < 1
    assert pod.message().endswith("m.log has 24 bytes")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("echo loss=1 > $FILE", b"loss=1\n", id="wrote something"),
        pytest.param("true", b"", id="wrote nothing"),
        pytest.param("exit 3", b"", id="failed"),
    ],
)
def test_a_training_of_milliseconds(pod: Pod, script: str, expected: bytes) -> None:
    echo = pod.echo("fresh", "alone")
    pod.train(script)
    assert output(echo, 5) == expected


def test_a_request_to_end_is_for_the_training(pod: Pod) -> None:
    echo = pod.echo("fresh", "alone")
    training = pod.train("echo begun >> $FILE; sleep 1; echo last >> $FILE")
    (inner,) = Path(f"/proc/{echo.pid}/task/{echo.pid}/children").read_text().split()
    os.kill(int(inner), signal.SIGTERM)
    assert training.wait(5) == 0
    assert output(echo) == b"begun\nlast\n"


def test_beside_other_containers(pod: Pod) -> None:
    other = pod.run("sleep", "60")
    echo = pod.echo()
    time.sleep(0.8)
    assert echo.poll() is None
    training = pod.train("echo loss=1 >> $FILE; sleep 1")
    assert training.wait(5) == 0
    assert output(echo) == b"loss=1\n"
    assert other.poll() is None


def test_a_container_that_is_started_again(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SCRIPT.replace("FIRST_RESTART, LAST_RESTART = 15.0, 310.0", "FIRST_RESTART, LAST_RESTART = 1.5, 3.0")
    monkeypatch.setattr(process_namespace, "SCRIPT", script)
    echo = pod.echo("fresh", "alone", "restarts")
    pod.train("echo loss=1 >> $FILE; exit 1").wait()
    time.sleep(0.5)
    pod.train("sleep 0.5; echo loss=2 >> $FILE").wait()
    assert echo.poll() is None
    assert output(echo) == b"loss=1\nloss=2\n"


def test_what_it_may_not_read_does_not_end_it_early(pod: Pod) -> None:
    (pod.folder / "m.log").mkdir()
    echo = pod.echo("alone", kind="file", path="m.log/../message/x")
    (pod.folder / "message").mkdir()
    training = pod.train("sleep 0.5")
    training.wait()
    assert output(echo) == b""

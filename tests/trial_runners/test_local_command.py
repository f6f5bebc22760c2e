"""From an attempt to a command: which paths are replaced, and where programs are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from katib.core.collector import CollectorSpec
from katib.core.trial import Attempt
from tests.contracts.runner_contract import attempt_id
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local.command import find_program, order_for
from trial_runners.local.paths import localize, moves

FOLDER = AttemptFolder(Path("/home/me/runs"))


def moved(text: str, metrics: str = "", checkpoint: str = "", directory: bool = False) -> str:
    collector = CollectorSpec("TensorFlowEvent" if directory else "File", metrics, directory=directory)
    attempt = Attempt(attempt_id(), 0, {}, collector=collector, checkpoint_path=checkpoint)
    return localize(text, moves(attempt, FOLDER))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/katib/mnist.log", "/home/me/runs/metrics/mnist.log", id="alone"),
        pytest.param("--log=/katib/mnist.log", "--log=/home/me/runs/metrics/mnist.log", id="option"),
        pytest.param("x > '/katib/mnist.log'; y", "x > '/home/me/runs/metrics/mnist.log'; y", id="in a script"),
        pytest.param("a:/katib/mnist.log:b", "a:/home/me/runs/metrics/mnist.log:b", id="list of paths"),
        pytest.param("--dir /katib", "--dir /home/me/runs/metrics", id="its folder"),
        pytest.param("/katib/other.csv", "/home/me/runs/metrics/other.csv", id="another file of its folder"),
        pytest.param("/katib/mnist.log.bak", "/home/me/runs/metrics/mnist.log.bak", id="a longer name beside it"),
        pytest.param("/data/katib/mnist.log", "/data/katib/mnist.log", id="end of another path"),
        pytest.param("/katib2/mnist.log", "/katib2/mnist.log", id="another folder"),
        pytest.param("file:///katib/mnist.log", "file:///katib/mnist.log", id="address"),
        pytest.param(r"\1 /katib/mnist.log \g<0>", r"\1 /home/me/runs/metrics/mnist.log \g<0>", id="no pattern"),
    ],
)
def test_localize(text: str, expected: str) -> None:
    assert moved(text, "/katib/mnist.log") == expected


@pytest.mark.parametrize(
    ("checkpoint", "metrics", "text", "expected"),
    [
        pytest.param("/ck", "", "--to=/ck", "--to=/home/me/runs/checkpoint", id="alone"),
        pytest.param("/ck/", "", "--to=/ck/ x", "--to=/home/me/runs/checkpoint/ x", id="slash at the end"),
        pytest.param("/ck", "", "/ck/a/b.npz", "/home/me/runs/checkpoint/a/b.npz", id="a file below"),
        pytest.param("/ck", "", "/ck2 /a/ck ./ck /ck.old", "/ck2 /a/ck ./ck /ck.old", id="other paths"),
        pytest.param("/tmp", "", "/tmp/a /home/x", "/home/me/runs/checkpoint/a /home/x", id="a folder of this machine"),
        pytest.param("/home", "", "/home/a", "/home/me/runs/checkpoint/a", id="what was put in is not looked at again"),
        pytest.param(
            "/katib/ck",
            "/katib/m.log",
            "/katib/ck/x /katib/m.log /katib/y",
            "/home/me/runs/checkpoint/x /home/me/runs/metrics/m.log /home/me/runs/metrics/y",
            id="checkpoints below the metrics",
        ),
        pytest.param(
            "/katib",
            "/katib/log/m.log",
            "/katib/x /katib/log/m.log /katib/log/y",
            "/home/me/runs/checkpoint/x /home/me/runs/metrics/m.log /home/me/runs/metrics/y",
            id="metrics below the checkpoints",
        ),
        pytest.param(
            "/katib",
            "/katib/m.log",
            "/katib/x /katib/m.log",
            "/home/me/runs/checkpoint/x /home/me/runs/metrics/m.log",
            id="the same folder",
        ),
    ],
)
def test_the_folder_of_checkpoints_is_moved(checkpoint: str, metrics: str, text: str, expected: str) -> None:
    assert moved(text, metrics, checkpoint) == expected


def test_a_folder_that_exists_here_stays(tmp_path: Path) -> None:
    path = f"{tmp_path}/m.log"
    local = FOLDER.metrics / "m.log"
    assert moved(f"--data {tmp_path}/digits --log {path}", path) == f"--data {tmp_path}/digits --log {local}"
    assert moved("--data /digits --log /m.log", "/m.log") == f"--data /digits --log {local}"


@pytest.mark.parametrize("path", ["/logs/tf", "/logs/tf/"])
def test_a_folder_of_metrics_is_moved_with_all_in_it(path: str) -> None:
    local = FOLDER.metrics / "tf"
    assert moved("--logs=/logs/tf/train /logs/tf /logs/tf2 /logs", path, directory=True) == (
        f"--logs={local}/train {local} /logs/tf2 /logs"
    )
    assert moved("/tmp/x", "/tmp", directory=True) == f"{FOLDER.metrics}/tmp/x"


def test_programs_are_found_as_a_shell_would(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "train"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    assert find_program("train", str(tmp_path), str(program.parent)) is None, "not executable"
    program.chmod(0o755)
    assert find_program("train", str(tmp_path), f"/nowhere:{program.parent}") == str(program)
    assert find_program("bin/train", str(tmp_path), "") == str(program)
    assert find_program(str(program), "/", "") == str(program)
    assert find_program("train", str(tmp_path), "/nowhere") is None


def test_the_program_of_a_train_job_starts_alone_in_a_folder_of_its_own(tmp_path: Path) -> None:
    trainer = {"command": ["bash", "-c", "echo > train.py"], "env": [{"name": "WORLD_SIZE", "value": "2"}]}
    run = {"kind": "TrainJob", "spec": {"trainer": trainer}}
    order = order_for(Attempt(attempt_id(), 0, {}, run=run), FOLDER, tmp_path)
    assert order.cwd == "/home/me/runs/work"
    assert (order.env["RANK"], order.env["WORLD_SIZE"]) == ("0", "2")

"""From an attempt to a command: which paths are replaced, and where programs are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from trial_runners.local.command import find_program, localize

LOCAL = Path("/home/me/runs/metrics/mnist.log")


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
    assert localize(text, "/katib/mnist.log", LOCAL) == expected


def test_a_folder_that_exists_here_stays(tmp_path: Path) -> None:
    path = f"{tmp_path}/metrics.log"
    assert localize(f"--data {tmp_path}/digits --log {path}", path, LOCAL) == f"--data {tmp_path}/digits --log {LOCAL}"
    assert localize("--data /digits --log /m.log", "/m.log", LOCAL) == f"--data /digits --log {LOCAL}"


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

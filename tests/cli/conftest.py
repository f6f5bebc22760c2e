"""A home of its own for each test, and the command line in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from katib.cli.main import main
from tests.cli.command_line import KATIB, Answer, document, running_trials, until, write

Katib = Callable[..., Answer]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``$KATIB_HOME``; the test runs in the folder above it, and no trial of it may be left running."""
    folder = tmp_path / "home"
    monkeypatch.setenv("KATIB_HOME", str(folder))
    monkeypatch.delenv("KATIB_STORE", raising=False)
    monkeypatch.delenv("KATIB_TRACEBACK", raising=False)
    monkeypatch.chdir(tmp_path)
    yield folder
    try:
        until(lambda: not running_trials(folder), "the trials' end", timeout=10)
    finally:
        for process in running_trials(folder):
            process.kill()


@pytest.fixture
def katib(home: Path, capfd: pytest.CaptureFixture[str]) -> Katib:
    """Runs a command in this process."""

    def run(*words: str | Path) -> Answer:
        capfd.readouterr()
        status = main([str(word) for word in words])
        captured = capfd.readouterr()
        return Answer(status, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the experiment ``exp``, which has run its three trials. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("finished")
    command = [*KATIB, "run", str(write(folder, document()))]
    subprocess.run(command, env={**os.environ, "KATIB_HOME": str(folder / "home")}, check=True, capture_output=True)
    return folder / "home"


@pytest.fixture
def finished(home: Path, finished_home: Path) -> str:
    """Name of an experiment in ``home`` that has run its three trials."""
    shutil.copytree(finished_home, home)
    return "exp"

"""docs/tutorial-nas.md: what a reader saves and runs works as it stands, with fewer trials and epochs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from algorithms.architecture.pictures import Titled, draw_beside
from algorithms.architecture.reading import read_architecture
from katib.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "tutorial-nas.md").read_text()
BEST = "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|nor_conv_3x3~1|skip_connect~2|"
LESS = {"katib nas retrain": ["--top", "1", "--seeds", "1", "--epochs", "1", "--examples", "200"]}


def _commands():
    return [shlex.split(line) for line in re.findall(r"^\$ (.*)", PAGE, re.MULTILINE)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The reader's folder, with the file of the page."""
    monkeypatch.setenv("KATIB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("KATIB_STORE", "KATIB_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "digits-search.yaml").write_text(text)
    return tmp_path


def test_the_experiment(folder, capsys):
    assert main(["validate", "digits-search.yaml"]) == 0
    assert capsys.readouterr().out in PAGE


def test_the_picture():
    other = BEST.replace("none~1", "nor_conv_3x3~1", 1)
    shown = [
        Titled("digits-search-j5qfqrdv: accuracy 0.98513", read_architecture(BEST)),
        Titled("digits-search-6wx6ctqm: accuracy 0.97026", read_architecture(other)),
    ]
    assert BEST in PAGE
    assert (DOCS / "nas-best.svg").read_text() == draw_beside(shown)


@pytest.mark.requires("torch")
@pytest.mark.slow
def test_all_commands(folder):
    file = folder / "digits-search.yaml"
    file.write_text(file.read_text().replace("maxTrialCount: 12", "maxTrialCount: 3"))
    for words in _commands():
        if words[0] == "python":
            (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
            (folder / "retrained" / "use.py").write_text(program)
            done = subprocess.run([sys.executable, "use.py"], cwd=folder / "retrained", capture_output=True, text=True)
        else:
            less = next((more for start, more in LESS.items() if shlex.join(words).startswith(start)), [])
            command = [sys.executable, "-m", "katib.cli.main", *words[1:], *less]
            done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout.split()[0]) <= 1
    assert {"best.svg", "retrained"} <= {file.name for file in folder.iterdir()}

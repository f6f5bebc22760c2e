"""docs/tutorial.md: what a reader saves and runs works as it stands, and gives what the page says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from katib.cli.exits import OK, USAGE

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()

pytestmark = pytest.mark.requires("skopt")


@pytest.fixture
def files(tmp_path):
    """The three files of the page."""
    blocks = re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL)
    for name, text in zip(("train.py", "line.yaml", "tune_line.py"), blocks, strict=True):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_mistakes(katib, files):
    text = (files / "line.yaml").read_text()
    wrong = text.replace("algorithmName: bayesian", "algorithmName: baysian").replace("maxTrialCount", "maxTrials")
    (files / "line.yaml").write_text(wrong)
    answer = katib("validate", "line.yaml")
    assert answer.status == USAGE
    assert " ".join(answer.err.split()) in " ".join(PAGE.split())


@pytest.mark.slow
def test_experiment(katib, files, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    assert katib("validate", "line.yaml").out in PAGE
    answer = katib("run", "line.yaml", "--seed", "1")
    assert answer.status == OK
    for line in ("loss       0.011489  (min)", "lr         0.499063196316247", "all 12 trials are done"):
        assert line in answer.out
        assert line in PAGE
    assert answer.out.splitlines()[-1] in PAGE
    name = json.loads(katib("best", "line", "-o", "json").out)["trial"]
    assert katib("logs", name).out.endswith("epoch=19 loss=0.011489\nepoch=20 loss=0.011489\n")
    assert "all 20 trials are done" in katib("resume", "line", "--max-trials", "20").out
    first, second = (trial.rpartition("/")[2] for trial in katib("get", "trials", "line", "-o", "name").out.split()[:2])
    for row in katib("diff", first, second).out.splitlines()[1:]:
        assert row.startswith("seconds") or row.split() in [line.split() for line in PAGE.splitlines()]
    for words in (("-o", "line.csv"), ("--curves", "-o", "curves.csv")):
        assert katib("export", "line", *words).status == OK
    assert len((files / "line.csv").read_text().splitlines()) == 1 + 20
    assert len((files / "curves.csv").read_text().splitlines()) == 1 + 20 * 20


@pytest.mark.slow
def test_function(files):
    done = subprocess.run([sys.executable, "tune_line.py"], cwd=files, capture_output=True, text=True, check=True)
    best, *trials = done.stdout.splitlines()
    assert float(best.split()[0]) < 0.0116
    assert len(trials) == 3
    assert "\n".join(trials) in PAGE

"""``katib init``: what it writes runs as it stands, and so does every line that it says comes next."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from algorithms import ALGORITHMS
from katib.cli.exits import OK, USAGE
from katib.cli.init import _name
from katib.cli.starter import COLLECTORS, SEARCHES


@pytest.mark.requires("skopt")
@pytest.mark.parametrize("algorithm", [name for name in SEARCHES if name in ALGORITHMS])
def test_is_valid_with_every_algorithm(katib, algorithm):
    assert katib("init", "start", "--algorithm", algorithm).status == OK
    answer = katib("validate", "start/experiment.yaml")
    assert (answer.status, answer.err) == (OK, "")
    spec = yaml.safe_load(Path("start/experiment.yaml").read_text())["spec"]
    assert spec["algorithm"]["algorithmName"] == algorithm


@pytest.mark.slow
@pytest.mark.requires("skopt")
@pytest.mark.parametrize("algorithm", [name for name in SEARCHES if name in ALGORITHMS])
def test_runs_with_every_algorithm(katib, monkeypatch, algorithm):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    assert katib("init", "--algorithm", algorithm, "--name", "start").status == OK
    text = Path("experiment.yaml").read_text()
    Path("experiment.yaml").write_text(re.sub(r"maxTrialCount: \d+", "maxTrialCount: 8", text))
    answer = katib("run", "experiment.yaml", "--seed", "1")
    assert (answer.status, answer.err) == (OK, "")
    assert "all 8 trials are done" in answer.out


@pytest.mark.slow
@pytest.mark.parametrize("collector", COLLECTORS)
def test_what_comes_next_works_when_typed(katib, home, monkeypatch, collector):
    """Typed into a shell, one line after the other, where init was called."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    answer = katib("init", "my moons", "--collector", collector)
    assert answer.status == OK
    lines = answer.out.partition("Next:\n")[2].splitlines()
    assert len(lines) == 6
    script = "set -e\n" + "\n".join(lines)
    environment = {**os.environ, "KATIB_HOME": str(home)}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "experiment my-moons is valid" in done.stdout
    assert "all 12 trials are done" in done.stdout
    assert "all 18 trials are done" in done.stdout
    best = re.findall(r"loss +([0-9.]+)", done.stdout)[-1]
    assert 0 < float(best) < 0.2  # it learned
    assert "accuracy" in done.stdout


def test_the_training_depends_on_its_parameters(katib):
    assert katib("init").status == OK
    losses = {
        subprocess.run([sys.executable, "train.py", f"--lr={lr}"], capture_output=True, text=True, check=True).stdout
        for lr in (0.001, 0.1)
    }
    assert len(losses) == 2
    good, bad = sorted(float(text.rpartition("loss=")[2].split()[0]) for text in losses)
    assert good < 0.3 < bad


def test_nothing_is_overwritten(katib):
    Path("train.py").write_text("mine")
    answer = katib("init")
    assert (answer.status, answer.out) == (USAGE, "")
    assert "error: train.py exists; overwrite with --force" in answer.err
    assert Path("train.py").read_text() == "mine"
    assert not Path("experiment.yaml").exists()
    assert katib("init", "--force").status == OK
    assert "argparse" in Path("train.py").read_text()
    assert "experiment.yaml and train.py exist; overwrite" in katib("init").err


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("digits", "digits"),
        ("My Project!", "my-project"),
        ("2024-runs", "runs"),
        ("___", "experiment"),
        ("a" * 60, "a" * 40),
    ],
)
def test_names(tmp_path, folder, name):
    assert _name(tmp_path / folder, None) == name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("--algorithm", "radnom"), "unknown algorithm 'radnom' (did you mean 'random'?)", id="algorithm"),
        pytest.param(("--algorithm", "pbt"), "pbt needs more than this training has", id="pbt"),
        pytest.param(("--collector", "Email"), "'Email' is not one of", id="collector"),
        pytest.param(("--name", "No Name"), "--name: got 'No Name', expected at most 40 of a-z", id="name"),
    ],
)
def test_errors(katib, words, message):
    answer = katib("init", "start", *words)
    assert (answer.status, answer.out) == (USAGE, "")
    assert message in answer.err
    assert not Path("start").exists()


def test_every_algorithm_has_a_start_or_a_reason():
    assert set(SEARCHES) <= set(ALGORITHMS) | {"cmaes"}

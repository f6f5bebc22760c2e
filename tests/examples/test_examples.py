"""The examples do what they say: the YAML files are valid, the training script prints metrics and can continue."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from algorithms import ALGORITHMS, STOPPERS
from katib.core.collector import CollectorSpec
from katib.core.objective import Measurement, Objective
from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics import create_collector
from katib.resources.load import load_experiment
from katib.resources.validation import Known

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((ROOT / "examples").rglob("*.yaml"))


def train(*options: str, checkpoints: Path | None = None) -> tuple[Measurement, ...]:
    """Run the training script as a trial and read its output as the engine does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KATIB_")}
    if checkpoints is not None:
        environment["KATIB_CHECKPOINT_DIR"] = str(checkpoints)
    command = [sys.executable, "examples/digits/train.py", "--hidden-units=16", *options]
    output = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120).stdout
    collector = create_collector(CollectorSpec(), Objective("accuracy", additional=("loss",)))
    return collector(Chunk("stdout", Cursor(), output, 0.0, final=True)).measurements


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiments_are_valid(path: Path) -> None:
    spec = load_experiment(path, known=Known(ALGORITHMS, STOPPERS)).spec
    assert spec.budget.parallel == 2
    create_collector(spec.collector, spec.objective)


def test_there_are_experiments() -> None:
    assert {path.stem for path in EXPERIMENTS} == {"experiment", "function", "hyperband", "random"}


@pytest.mark.slow
@pytest.mark.requires("skopt")
def test_training_continues_from_its_checkpoint(tmp_path: Path) -> None:
    whole = train("--epochs=2")
    first = train("--epochs=1", checkpoints=tmp_path)
    rest = train("--epochs=2", checkpoints=tmp_path)
    assert [(m.metric, m.step) for m in whole] == [("accuracy", 1), ("loss", 1), ("accuracy", 2), ("loss", 2)]
    assert [*first, *rest] == [*whole]


@pytest.mark.slow
@pytest.mark.requires("skopt")
def test_bad_options_give_bad_metrics() -> None:
    *_, good, _ = train("--epochs=2")
    *_, bad, _ = train("--epochs=2", "--learning-rate=1", "--momentum=0.95")
    assert good.value > 0.8
    assert bad.value < 0.5

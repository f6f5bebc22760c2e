"""The training script of the checkpoints page, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "checkpoints.md"

# What the page leaves to the reader; the loss tells how many epochs the weights have been trained.
AROUND = """
import os, sys
from pathlib import Path
import numpy as np

epochs, rate, cut = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
def new_weights():
    return np.zeros(2)
def train_one_epoch(weights, rate):
    if weights[0] >= cut:
        os.abort()
    weights += rate
    return weights[0]
"""


def train(folder: Path, trial: str, epochs: int, rate: float, cut: float = 1e9) -> list[str]:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    environment = {**os.environ, "KATIB_CHECKPOINT_DIR": str(folder), "KATIB_TRIAL_NAME": trial}
    command = [sys.executable, "-c", AROUND + script, str(epochs), str(rate), str(cut)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=cut == 1e9)
    return done.stdout.split()


def test_it_continues_its_parents_training_and_its_own(tmp_path: Path) -> None:
    assert train(tmp_path, "parent", 2, 1.0) == ["loss=1.0", "loss=2.0"]
    assert train(tmp_path, "child", 3, 0.5, cut=3.0) == ["loss=2.5", "loss=3.0"]  # cut off in its third epoch
    assert train(tmp_path, "child", 3, 0.5) == ["loss=3.5"]
    assert train(tmp_path, "child", 3, 0.5) == []
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]

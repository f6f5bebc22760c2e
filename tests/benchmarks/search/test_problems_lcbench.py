"""LCBench's last epoch, without its surrogate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.requires("bench")


class _Session:
    """Notes what it is asked; says the epoch in place of every output."""

    def __init__(self) -> None:
        self.rows: list[list[float]] = []

    def run(self, _: None, inputs):
        self.rows += inputs["x_cont"].tolist()
        return [np.repeat(inputs["x_cont"][:, :1], 6, axis=1)]


def test_26_a_training_is_judged_at_epoch_52_the_first_of_which_is_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data set counts epochs from 0 in places, so that "52 epochs" end at 51 or ask for one that there is not."""
    from benchmarks.search.problems import lcbench

    session = _Session()
    monkeypatch.setattr(lcbench, "_session", lambda file: session)
    point = lcbench.SPACE.from_unit([0.5] * len(lcbench.SPACE))
    evaluation = lcbench.Surrogate(Path("model.onnx"), 3)(point, np.random.default_rng(0))
    assert evaluation.true == {"val_accuracy": 52.0}
    assert [row[0] for row in session.rows] == [52.0]
    assert session.rows[0][1:] == pytest.approx([float(value) for value in point.values()], rel=1e-6)

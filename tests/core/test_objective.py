"""Objectives and observations: one sign flip, NaN never wins, ``latest`` by time."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from katib.core.objective import Direction, Measurement, MetricSummary, Objective, Strategy, observe


def reports(*values: tuple[str, float]) -> list[Measurement]:
    def number(text: str) -> float | None:
        try:
            return float(text) if math.isfinite(float(text)) else None
        except ValueError:
            return None

    return [Measurement("m", number(text), text, time) for text, time in values]


@pytest.mark.parametrize(
    ("direction", "strategy", "expected"),
    [
        pytest.param(Direction.MINIMIZE, None, 1.0, id="minimize-defaults-to-min"),
        pytest.param(Direction.MAXIMIZE, None, 3.0, id="maximize-defaults-to-max"),
        pytest.param(Direction.MAXIMIZE, Strategy.LATEST, 2.0, id="latest-by-time-not-arrival"),
        pytest.param(Direction.MAXIMIZE, Strategy.MIN, 1.0, id="explicit-min"),
    ],
)
def test_strategy_picks_the_value(direction, strategy, expected):
    objective = Objective("m", direction, strategies={"m": strategy} if strategy else {})
    curve = reports(("3", 1.0), ("nan", 2.0), ("2", 9.0), ("1", 3.0), ("inf", 4.0))
    assert objective.value(observe({}, curve)) == expected


@pytest.mark.parametrize(
    ("texts", "available"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param(["nan"], False, id="nan"),
        pytest.param(["inf"], False, id="inf"),
        pytest.param([""], False, id="empty"),
        pytest.param(["-Infinity"], False, id="infinity"),
        pytest.param(["95%"], False, id="number-with-unit"),
        pytest.param(["N/A"], False, id="not-available"),
        pytest.param(["0.1", "nan"], True, id="a-number-among-nans"),
        pytest.param(["Genotype(normal=[])"], True, id="text-that-is-no-number"),
    ],
)
def test_available(texts, available):
    objective = Objective("m")
    assert objective.available(observe({}, reports(*((t, float(i)) for i, t in enumerate(texts))))) is available


@pytest.mark.parametrize("direction", list(Direction))
def test_better_reached_and_loss_agree(direction):
    objective = Objective("m", direction, goal=0.5)
    worst_to_best = [0.9, 0.5, 0.1] if direction is Direction.MINIMIZE else [0.1, 0.5, 0.9]
    for worse, better in pairwise(worst_to_best):
        assert objective.better(better, worse)
        assert not objective.better(worse, better)
    assert not objective.better(0.5, 0.5)
    losses = [objective.losses(observe({}, [Measurement("m", v, str(v), 0.0)])) for v in worst_to_best]
    assert [objective.reached(each) for each in losses] == [False, True, True]
    assert not Objective("m", direction).reached(losses[-1])
    assert all(objective.from_loss(objective.loss(v)) == v for v in worst_to_best)


def test_summary_counts_every_report_in_constant_space():
    summary = MetricSummary()
    for measurement in reports(("1", 0.0), ("nan", 1.0)):
        summary = summary.add(measurement)
    assert (summary.minimum, summary.maximum, summary.latest, summary.latest_text, summary.count) == (
        1.0,
        1.0,
        None,
        "nan",
        2,
    )

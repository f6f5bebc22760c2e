"""The architectures that an experiment found, out of parameters and text metrics."""

from __future__ import annotations

import pytest

from katib.architectures import architecture_of, best_architectures
from katib.core.objective import Direction, Measurement, Objective, observe
from katib.core.trial import Trial, TrialState

GENOTYPE = "Genotype(normal=[[('{0}', 0), ('skip_connection', 1)]], reduce=[[('{0}', 0), ('skip_connection', 1)]])"
CONVOLUTION, POOLING = (GENOTYPE.format(name) for name in ("convolution_3x3", "max_pooling_3x3"))
ACCURACY = Objective("accuracy", Direction.MAXIMIZE, additional=("Best-Genotype",))


def _trial(number, parameters=None, state=TrialState.SUCCEEDED, **metrics):
    measured = [
        Measurement(name.replace("_", "-"), value if isinstance(value, float) else None, str(value), float(number))
        for name, value in metrics.items()
    ]
    return Trial(
        name=f"trial-{number}", number=number, parameters=parameters or {}, state=state, seq=number,
        observation=observe({}, measured),
    )  # fmt: skip


def _written(architecture):
    return str(architecture).replace(", normal_concat=range(2, 3)", "").replace(", reduce_concat=range(2, 3)", "")


@pytest.mark.parametrize(
    ("trial", "expected"),
    [
        pytest.param(_trial(1, {"genotype": CONVOLUTION}), CONVOLUTION, id="parameter"),
        pytest.param(_trial(1, {"lr": 0.1}, Best_Genotype=POOLING), POOLING, id="metric"),
        pytest.param(_trial(1, {"genotype": CONVOLUTION}, Best_Genotype=POOLING), POOLING, id="both"),
        pytest.param(_trial(1, {"genotype": CONVOLUTION}, Best_Genotype="Genotype("), CONVOLUTION, id="cut-off"),
        pytest.param(_trial(1, {"lr": 0.1}), None, id="none"),
        pytest.param(_trial(1, {"architecture": "gothic"}), None, id="something-else"),
    ],
)
def test_architecture_of_a_trial(trial, expected):
    found = architecture_of(trial)
    assert (None if found is None else _written(found)) == expected


@pytest.mark.parametrize(
    ("objective", "trials", "expected"),
    [
        pytest.param(
            ACCURACY,
            [
                _trial(0, {"genotype": CONVOLUTION}, accuracy=0.8),
                _trial(1, {"genotype": POOLING}, accuracy=0.9),
                _trial(2, {"genotype": CONVOLUTION}, accuracy=0.7),
                _trial(3, {"genotype": CONVOLUTION}, TrialState.FAILED, accuracy=0.99),
            ],
            ["trial-1: accuracy 0.9", "trial-0: accuracy 0.8"],
            id="by-value-each-once",
        ),
        pytest.param(
            Objective("Best-Genotype", Direction.MAXIMIZE),
            [_trial(0, Best_Genotype=CONVOLUTION), _trial(1, Best_Genotype=POOLING)],
            ["trial-1", "trial-0"],
            id="texts-latest-first",
        ),
        pytest.param(ACCURACY, [_trial(0, accuracy=0.5)], [], id="none"),
    ],
)
def test_best_first(objective, trials, expected):
    found = best_architectures(objective, trials)
    assert [each.title for each in found] == expected
    assert best_architectures(objective, trials, 1) == found[:1]

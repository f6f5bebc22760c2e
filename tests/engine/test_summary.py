"""What an experiment found, where values cannot be compared."""

from __future__ import annotations

import pytest

from katib.core.objective import Direction, Measurement, Objective, observe
from katib.core.trial import Trial, TrialState
from katib.engine.summary import Race, ranked

GENOTYPE = Objective("Best-Genotype", Direction.MAXIMIZE)


def _trial(number, text, state=TrialState.SUCCEEDED):
    value = float(text) if text[0].isdigit() else None
    observation = observe({}, [Measurement("Best-Genotype", value, text, float(number))])
    return Trial(number, f"trial-{number}", {}, state=state, seq=number + 1, observation=observation)


@pytest.mark.parametrize(
    ("texts", "best", "order"),
    [
        pytest.param(["Genotype(a)", "Genotype(b)"], 1, [1, 0], id="latest-text"),
        pytest.param(["Genotype(a)", "nan"], 0, [0], id="no-text-without-a-result"),
        pytest.param(["Genotype(a)", "0.5", "Genotype(b)", "0.7"], 3, [3, 1], id="a-number-beats-texts"),
    ],
)
def test_texts(texts, best, order):
    trials = [_trial(number, text) for number, text in enumerate(texts)]
    trials.append(_trial(len(texts), "Genotype(failed)", TrialState.FAILED))
    race = Race(GENOTYPE)
    for trial in trials:
        race.take(trial)
    assert race.best is trials[best]
    assert [trial.number for trial in ranked(GENOTYPE, trials)] == order

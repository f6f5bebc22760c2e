"""Every line of the metrics corpus printed by a trial of its own: each trial ends with the value that the line says, or
without one and with a reason, and the experiment ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from katib.core.collector import CollectorSpec
from katib.core.experiment import Budget, Component, Verdict
from katib.core.objective import Measurement, Objective, observe
from katib.core.space import Choice, SearchSpace
from katib.core.trial import TrialState
from tests.end_to_end.experiments import command_spec, run
from tests.metrics.corpus import CASES, METRICS, Case

OBJECTIVE = Objective(METRICS[0], additional=METRICS[1:])


def expected(case: Case) -> tuple[TrialState, float | None]:
    reports = [Measurement(report.metric, report.value, report.text, 0.0) for report in case.reports]
    observation = observe({}, reports)
    available = OBJECTIVE.available(observation)
    return TrialState.SUCCEEDED if available else TrialState.METRICS_UNAVAILABLE, OBJECTIVE.value(observation)


@pytest.mark.parametrize("format", ["TEXT", "JSON"])
def test_every_line_as_a_trial(tmp_path: Path, format: str) -> None:
    cases = {f"{number:03}": case for number, case in enumerate(CASES) if case.format == format}
    for name, case in cases.items():
        (tmp_path / name).write_bytes(case.data)
    spec = command_spec(
        ["/bin/cat", f"{tmp_path}/${{trialParameters.case}}"],
        space=SearchSpace((Choice("case", tuple(cases)),)),
        objective=OBJECTIVE,
        collector=CollectorSpec(format=format),
        algorithm=Component("random"),
        budget=Budget(parallel=8),
    )
    ran = run(tmp_path / "home", spec)
    assert ran.experiment.status.verdict is Verdict.SEARCH_EXHAUSTED
    assert sorted(str(trial.parameters["case"]) for trial in ran.trials) == sorted(cases)
    for trial in ran.trials:
        case = cases[str(trial.parameters["case"])]
        assert (trial.state, OBJECTIVE.value(trial.observation)) == expected(case), case
        assert ran.lines.get(trial.number, []) == [report.text for report in case.reports], case
        assert bool(trial.reason) == (trial.state is TrialState.METRICS_UNAVAILABLE), case

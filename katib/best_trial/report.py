"""What is reported of the best trial. Pure: of an experiment, its trials, and where the trial's files are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from katib.architectures import architecture_of
from katib.best_trial.rerun import rerun_command
from katib.core.confidence import half_width
from katib.core.experiment import Experiment
from katib.core.objective import Objective
from katib.core.texts import count, in_namespace
from katib.core.trial import Parameters, Trial, TrialState
from katib.core.values import point_of
from katib.engine.names import trial_seed
from katib.engine.summary import MAY_BE_BEST, pareto_front
from katib.resources import template


@dataclass(frozen=True, slots=True)
class MetricReport:
    """One metric of the trial. value: the one that stands for the curve by ``strategy`` (min, max or latest), None if
    it has no finite number; latest_text: the newest report as it was written. direction: minimize or maximize, empty
    for a metric that is recorded only. reports: how many there were."""

    name: str
    value: float | None
    strategy: str
    direction: str
    goal: float | None
    min: float | None
    max: float | None
    latest: float | None
    latest_text: str
    reports: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """The runs of the best parameters. mean: of the objective over the runs that have a value. low, high: the 95 %
    confidence interval of the mean (Student's t), None for one run alone."""

    runs: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Solution:
    """A trial that no other beats in every objective. values: of the objectives, by metric."""

    trial: str
    values: Mapping[str, float | None]
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class BestTrialReport:
    """The best trial and how to have it again.

    parameters: typed; texts: the same, with all digits, as the trial got them. seed: of the experiment; trial_seed: of
    the trial, its $KATIB_SEED. repeats: where every set of parameters runs several times. seconds: that the last
    attempt ran. files, checkpoint: folders on this machine, None if there are none here. command: a shell line that
    runs the trial again, empty if there is none. front: with several objectives, the best by the first one first.
    architecture: the text of one that the trial was given or came to by itself, None without.
    """

    experiment: str
    namespace: str
    algorithm: str
    trial: str
    number: int
    state: str
    attempt: int
    parameters: Parameters
    texts: Mapping[str, str]
    metrics: tuple[MetricReport, ...]
    seed: int | None
    trial_seed: int
    repeats: Repeats | None
    seconds: float | None
    files: str | None
    checkpoint: str | None
    command: str
    front: tuple[Solution, ...] = ()
    architecture: str | None = None


def report_trial(
    experiment: Experiment,
    trial: Trial,
    trials: Sequence[Trial] = (),
    *,
    files: str | None = None,
    checkpoint: str | None = None,
) -> BestTrialReport:
    """The report of ``trial``, the experiment's best one. trials: all there are, looked at where parameters run several
    times or there are several objectives. files, checkpoint: folders of its last attempt."""
    spec, found = experiment.spec, architecture_of(trial)
    ran = None if trial.started is None or trial.finished is None else round(trial.finished - trial.started, 6)
    return BestTrialReport(
        experiment=experiment.key.name,
        namespace=experiment.key.namespace,
        algorithm=spec.algorithm.name,
        trial=trial.name,
        number=trial.number,
        state=trial.state.value,
        attempt=trial.attempt,
        parameters=dict(trial.parameters),
        texts={name: template.value_text(spec.space, name, value) for name, value in trial.parameters.items()},
        metrics=_metrics(spec.objective, trial),
        seed=spec.seed,
        trial_seed=trial_seed(spec.seed, trial.number),
        repeats=repeats_of(spec.objective, trial, trials) if spec.objective.repeats > 1 else None,
        seconds=ran,
        files=files,
        checkpoint=checkpoint,
        command=rerun_command(experiment, trial),
        front=_front(spec.objective, trials) if spec.objective.others else (),
        architecture=None if found is None else str(found),
    )


def _metrics(objective: Objective, trial: Trial) -> tuple[MetricReport, ...]:
    """Of the metrics that the experiment names and the trial reported."""
    targets = {target.metric: target for target in objective.targets}
    found = []
    for name in objective.metrics:
        if (summary := trial.observation.get(name)) is None:
            continue
        strategy, target = objective.strategy(name), targets.get(name)
        found.append(
            MetricReport(
                name,
                summary.by(strategy),
                strategy.value,
                direction=target.direction.value if target else "",
                goal=target.goal if target else None,
                min=summary.minimum,
                max=summary.maximum,
                latest=summary.latest,
                latest_text=summary.latest_text,
                reports=summary.count,
            )
        )
    return tuple(found)


def repeats_of(objective: Objective, best: Trial, trials: Sequence[Trial]) -> Repeats | None:
    """The runs with the parameters of ``best``; None if none of them has a value."""
    point = point_of(best.parameters)
    runs = [trial for trial in trials if point_of(trial.parameters) == point and trial.state in MAY_BE_BEST]
    values = [value for run in runs if (value := objective.value(run.observation)) is not None]
    if not values:
        return None
    mean, half = float(statistics.mean(values)), half_width(values)
    if half is None:
        return Repeats(1, mean, None, None)
    low, high = mean - half, mean + half
    bounded = math.isfinite(low) and math.isfinite(high)
    return Repeats(len(values), mean, *((low, high) if bounded else (None, None)))


def _front(objective: Objective, trials: Sequence[Trial]) -> tuple[Solution, ...]:
    metrics = [target.metric for target in objective.targets]
    return tuple(
        Solution(t.name, {m: objective.value_of(m, t.observation) for m in metrics}, dict(t.parameters))
        for t in pareto_front(objective, trials)
    )


def why_none(experiment: Experiment) -> str:
    """Why an experiment has no best trial (yet)."""
    counts = experiment.status.counts
    if not sum(counts.values()):
        return "no trial has run"
    good = sum(counts.get(state, 0) for state in MAY_BE_BEST)
    objective = experiment.spec.objective
    if good and objective.constraints:
        constraints = "; ".join(constraint.text for constraint in objective.constraints)
        return f"none of {count(good, 'trial')} with a value satisfies {constraints}"
    if good and objective.repeats > 1:
        return f"no parameters have had all their {objective.repeats} runs yet"
    failed = counts.get(TrialState.FAILED, 0) + counts.get(TrialState.METRICS_UNAVAILABLE, 0)
    if not failed:
        return "no trial has finished by itself"
    see = f"katib get trials {experiment.key.name}{in_namespace(experiment.key.namespace)} -o wide"
    return f"{count(failed, 'trial')} failed or gave no metric; see: {see}"

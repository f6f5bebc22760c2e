"""What several objectives, constraints on metrics and repeated runs add to the reports for people."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from katib.cli.output import number, parameters
from katib.core.experiment import ExperimentSpec
from katib.core.objective import Objective
from katib.core.trial import Trial
from katib.core.values import point_of
from katib.engine.summary import MAY_BE_BEST, pareto_front

SHOWN = 10  # trials of the front


def targets_text(objective: Objective) -> str:
    """``maximize accuracy (goal 0.9), minimize latency``."""
    return ", ".join(
        f"{target.direction.value} {target.metric}" + (f" (goal {target.goal:g})" if target.goal is not None else "")
        for target in objective.targets
    )


def constraints_text(spec: ExperimentSpec) -> str:
    """All constraints, of parameters and of metrics."""
    return "; ".join(each.text for each in (*spec.space.constraints, *spec.objective.constraints))


def violation_text(objective: Objective, trial: Trial) -> str:
    """Which constraints on metrics a finished trial violates, empty if none."""
    if trial.state not in MAY_BE_BEST:
        return ""
    amounts = objective.violations(trial.parameters, trial.observation)
    broken = [each.text for each, amount in zip(objective.constraints, amounts, strict=True) if amount > 0]
    return f"violates {'; '.join(broken)}" if broken else ""


def runs_text(objective: Objective, best: Trial, trials: Sequence[Trial]) -> str:
    """How far the runs of the best parameters lie apart: ``3 runs, accuracy 0.91 ± 0.02``."""
    point = point_of(best.parameters)
    runs = [trial for trial in trials if point_of(trial.parameters) == point and trial.state in MAY_BE_BEST]
    values = [value for run in runs if (value := objective.value(run.observation)) is not None]
    if not values:
        return ""
    scale = max(map(abs, values)) or 1.0  # squares of the largest numbers are none
    apart = statistics.stdev(value / scale for value in values) * scale if len(values) > 1 else None
    deviation = f" ± {number(apart)}" if apart is not None else ""
    return f"{len(values)} runs, {objective.metric} {number(statistics.mean(values))}{deviation}"


def front_lines(objective: Objective, trials: Sequence[Trial]) -> list[str]:
    """The trials that no other beats in every objective, as a table."""
    front = pareto_front(objective, trials)
    metrics = [target.metric for target in objective.targets]
    rows = [["", *metrics, ""]]
    for trial in front[:SHOWN]:
        values = [number(objective.value_of(metric, trial.observation)) for metric in metrics]
        rows.append([trial.name, *values, parameters(trial)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    more = [f"  and {len(front) - SHOWN} more"] if len(front) > SHOWN else []
    return [f"trials that none beats in every objective: {len(front)}", *table, *more]

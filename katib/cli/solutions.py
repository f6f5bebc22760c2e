"""What several objectives and constraints on metrics add to the reports for people."""

from __future__ import annotations

from katib.core.experiment import ExperimentSpec
from katib.core.objective import Objective
from katib.core.outcome import MAY_BE_BEST
from katib.core.trial import Trial


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

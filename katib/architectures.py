"""The architectures that an experiment found: what its best trials were given, or printed as a text metric."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from algorithms.architecture.reading import (
    BEST_ARCHITECTURE,
    BEST_GENOTYPE,
    Architecture,
    holds_architecture,
    read_architecture,
)
from katib.core.objective import Objective
from katib.core.texts import number
from katib.core.trial import Trial
from katib.engine.summary import ranked


@dataclass(frozen=True, slots=True)
class Found:
    """The architecture of a trial. metric, value: of the first objective; value is None where that is a text."""

    trial: Trial
    architecture: Architecture
    metric: str
    value: float | None

    @property
    def title(self) -> str:
        """``trial-7: accuracy 0.98``."""
        return self.trial.name if self.value is None else f"{self.trial.name}: {self.metric} {number(self.value)}"


def architecture_of(trial: Trial) -> Architecture | None:
    """What the trial printed as Best-Genotype or Best-Architecture, else what it was given; None if neither is an
    architecture."""
    names = [name for name in (BEST_GENOTYPE, BEST_ARCHITECTURE) if name in trial.observation]
    for given in (*({name: trial.observation[name].latest_text} for name in names), trial.parameters):
        if holds_architecture(given):
            try:
                return read_architecture(given)
            except ValueError:
                continue
    return None


def best_architectures(objective: Objective, trials: Iterable[Trial], most: int | None = None) -> list[Found]:
    """Different architectures of the experiment's finished trials, the best first; ``most`` at most."""
    found: dict[str, Found] = {}
    for trial in ranked(objective, trials):
        architecture = architecture_of(trial)
        if architecture is not None and str(architecture) not in found:
            value = objective.value(trial.observation)
            found[str(architecture)] = Found(trial, architecture, objective.metric, value)
        if len(found) == most:
            break
    return list(found.values())

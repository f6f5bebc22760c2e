"""Short searches that rivals are tried on: every kind of parameter, trials under way, failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.search.rivals import Rival
from katib.core.constraints import Constraint
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Measurement, Objective, Target, observe
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Parameters, Trial, TrialState, evolve

MIXED = SearchSpace(
    (
        Real("rate", 1e-5, 1.0, Distribution.LOG_UNIFORM),
        Real("shift", -5.0, 5.0),
        Real("dropout", 0.0, 0.9, step=0.1),
        Real("decay", 1.0, 1000.0, Distribution.LOG_UNIFORM, step=0.5),
        Integer("layers", 1, 5),
        Integer("trees", 1, 500, Distribution.LOG_UNIFORM),
        Integer("width", 16, 256, step=16),
        Integer("units", 16, 256, Distribution.LOG_UNIFORM, step=16),
        Ordinal("batch", (16, 32, 64)),
        Choice("flag", (True, 1, "1")),
    )
)
CONDITIONAL = SearchSpace(
    (
        Choice("kind", ("linear", "tree", "net")),
        Real("cost", 1e-3, 1e3, Distribution.LOG_UNIFORM, condition=Condition("kind", ("linear",))),
        Integer("depth", 1, 12, condition=Condition("kind", ("tree",))),
        Ordinal("layers", (1, 2, 3), condition=Condition("kind", ("net",))),
        Real("wide", 0.0, 1.0, condition=Condition("layers", (2, 3))),
        Real("rate", 1e-4, 1.0, Distribution.LOG_UNIFORM, condition=Condition("kind", ("tree", "net"))),
        Real("shrink", 0.0, 1.0),
    )
)
REALS = SearchSpace(tuple(Real(f"x{i}", -5.0, 5.0) for i in range(3)))
SINGLE = Objective("loss")
CONSTRAINED = Objective("loss", constraints=(Constraint("size <= 0.5"),), additional=("size",))
SEVERAL = Objective("loss", others=(Target("size"),))


def spec_of(space: SearchSpace, objective: Objective = SINGLE, *, trials: int = 15, workers: int = 1) -> ExperimentSpec:
    """An experiment of that size."""
    return ExperimentSpec(Key("default", "rivals"), space, objective, Component(""), Budget(workers, trials), seed=11)


def values_at(space: SearchSpace, parameters: Parameters) -> dict[str, float]:
    """Two smooth functions of the unit cube; inactive parameters count for nothing."""
    coordinates = [u for u in space.to_unit(parameters) if u == u]
    return {"loss": sum((u - 0.3) ** 2 for u in coordinates), "size": sum(coordinates) / len(coordinates)}


@dataclass
class Run:
    """A search in memory; the oldest of the trials under way ends first."""

    spec: ExperimentSpec
    failing: frozenset[int] = frozenset()
    values: Callable[[SearchSpace, Parameters], Mapping[str, float]] = values_at
    history: History = field(init=False)
    points: list[Parameters] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history = History(self.spec.space, self.spec.objective)

    def play(self, rival: Rival) -> Run:
        """All trials of the budget; fewer if the rival says that there are no more."""
        trials = self.spec.budget.max_trials or 0
        while len(self.points) < trials or self.history.active:
            while len(self.points) < trials and len(self.history.active) < self.spec.budget.parallel:
                proposal = rival.suggest(self.history, 1)
                if not proposal.suggestions:
                    break
                self._start(proposal.suggestions[0].parameters, proposal.suggestions[0].labels)
            if not self.history.active:
                break
            self._finish(min(self.history.active))
        return self

    def _start(self, parameters: Parameters, labels: Mapping[str, str]) -> None:
        self.points.append(self.spec.space.check(parameters))
        number, seq = self.history.next_number, self._seq()
        self.history.record(Trial(number, f"t{number}", parameters, labels, state=TrialState.RUNNING, seq=seq))

    def _finish(self, number: int) -> None:
        trial = self.history.trials[number]
        if number in self.failing:
            self.history.record(evolve(trial, state=TrialState.FAILED, seq=self._seq()))
            return
        values = self.values(self.spec.space, trial.parameters)
        observation = observe({}, [Measurement(name, value, repr(value), 0.0) for name, value in values.items()])
        self.history.record(evolve(trial, state=TrialState.SUCCEEDED, seq=self._seq(), observation=observation))

    def _seq(self) -> int:
        return len(self.points) + len(self.history.finished) + 1


def played(name: str, spec: ExperimentSpec, failing: frozenset[int] = frozenset()) -> Run:
    """The search of the rival of that name."""
    with Rival(name, spec) as rival:
        return Run(spec, failing).play(rival)

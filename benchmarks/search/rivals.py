"""The rivals: what each is, what it can search, and how it plays as one of our algorithms does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from algorithms.features import Feature, uses
from benchmarks.search.environments import Environment, python_of
from benchmarks.search.rival import described, parameters_of
from benchmarks.search.rival_process import RivalProcess
from katib.core.errors import AlgorithmError, Problem, SpecError, UnknownNameError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.trial import Proposal, Suggestion, Trial

_LABEL = "rival"  # of a suggestion: the id that the rival gave it
_LONGEST_ANSWER = 600.0  # seconds

_OWN = Environment("own", ("optuna", "cmaes"), own=True)
_OWN_TORCH = Environment("own with torch", ("optuna", "cmaes", "torch"), own=True)
_ALL = frozenset({Feature.CONDITIONS, Feature.OUTCOME_CONSTRAINTS, Feature.OBJECTIVES})


@dataclass(frozen=True)
class RivalKind:
    """One rival. about: what it is, and how it departs from its package's defaults. adapter: the module of
    ``adapters``; variant: which of its optimisers.

    supports: what an experiment may ask for. All search conditional spaces: to those that do not support conditions
    the space is flat, and the values of inactive parameters make no difference, as with users who do not mind.
    seconds: of processor time, roughly, that a suggestion takes after 100 trials in 10 dimensions, for plans.
    repeatable: the same seed gives the same points.
    """

    about: str
    environment: Environment
    adapter: str
    variant: str = ""
    supports: frozenset[Feature] = frozenset()
    seconds: float = 0.0
    repeatable: bool = True


RIVALS: Mapping[str, RivalKind] = {
    "optuna-tpe": RivalKind(
        "Optuna's TPE, each parameter by itself: the default of Optuna up to version 4",
        _OWN, "optuna_samplers", "tpe", _ALL, 0.014,
    ),
    "optuna-mtpe": RivalKind(
        "Optuna's multivariate TPE, the default of Optuna 5; conditional spaces by groups",
        _OWN, "optuna_samplers", "mtpe", _ALL, 0.006,
    ),
    "optuna-gp": RivalKind(
        "Optuna's Gaussian process; conditional parameters at random",
        _OWN_TORCH, "optuna_samplers", "gp", _ALL, 0.2,
    ),
    "optuna-cmaes": RivalKind(
        "Optuna's CMA-ES, with margin where there are integers; categories at random",
        _OWN, "optuna_samplers", "cmaes", frozenset(), 0.001,
    ),
    "optuna-auto": RivalKind(
        "the rule of OptunaHub's AutoSampler, which is not on PyPI, over Optuna's samplers",
        _OWN_TORCH, "optuna_samplers", "auto", _ALL, 0.2,
    ),
    "hyperopt": RivalKind(
        "hyperopt's TPE", Environment("hyperopt", ("hyperopt",)), "hyperopt_tpe", "",
        frozenset({Feature.CONDITIONS}), 0.01,
    ),
    "nevergrad": RivalKind(
        "Nevergrad's NGOpt", Environment("nevergrad", ("nevergrad",)), "nevergrad_ngopt", "",
        frozenset({Feature.OUTCOME_CONSTRAINTS, Feature.OBJECTIVES}), 0.008,
    ),
    "skopt": RivalKind(
        "scikit-optimize's Gaussian process, as gp_minimize has it; a lie of the smallest value for running trials",
        Environment("skopt", ("skopt",)), "scikit_optimize", seconds=0.9,
    ),
    "hebo": RivalKind("HEBO", Environment("hebo", ("hebo.optimizers.hebo",)), "hebo_optimizer", seconds=2.5),
    "smac": RivalKind(
        "SMAC3's facade for hyperparameters, each configuration once; several objectives by its ParEGO",
        Environment("smac", ("smac",)), "smac_facade", "", frozenset({Feature.CONDITIONS, Feature.OBJECTIVES}),
        0.3,
    ),
    "ax": RivalKind(
        "Ax's client with its default strategy: BoTorch's Gaussian process",
        Environment("ax", ("ax.api.client",)), "ax_client", "", _ALL, 1.8,
    ),
    "vizier": RivalKind(
        "Vizier's GP-UCB-PE, the default of its service",
        Environment("vizier", ("vizier._src.algorithms.designers.gp_ucb_pe",)), "vizier_designer", "",
        frozenset({Feature.OBJECTIVES}), 13.0,
    ),
}  # fmt: skip


class Rival:
    """A rival at work on one experiment, an ``Algorithm``. It is told what has finished since it was asked last, in
    order of seq, and then asked; what is under way it knows from having proposed it.

    seconds: of wall-clock time that it reckoned so far, its learning included, without the way there and back.
    """

    def __init__(self, name: str, spec: ExperimentSpec, longest: float = _LONGEST_ANSWER) -> None:
        """longest: seconds that it may take for an answer.

        Raises UnknownNameError, SpecError on what it cannot search, NoEnvironmentError where it is not installed, or
        AlgorithmError where it does not start.
        """
        self._name, kind = name, kind_of(name)
        check_supported(name, spec)
        self._space = spec.space
        self._told = 0
        self._points: dict[str, Mapping[str, Any]] = {}
        self.seconds = 0.0
        self._process = RivalProcess(python_of(kind.environment), kind.adapter, longest)
        try:
            self.versions: Mapping[str, str] = self._answer("setup", _setup(kind, spec))["versions"]
        except BaseException:
            self.close()
            raise

    def suggest(self, history: History, count: int) -> Proposal:
        """What it proposes. Raises AlgorithmError if it fails, takes too long, or leaves the space."""
        finished = history.finished[self._told :]
        if finished:
            results = [self._result(trial, history) for trial in finished]
            self.seconds += self._answer("tell", results)["seconds"]
            self._told += len(finished)
        answer = self._answer("ask", count)
        self.seconds += answer["seconds"]
        return Proposal(tuple(map(self._suggestion, answer["points"])), exhausted=answer["exhausted"])

    def close(self) -> None:
        """End its process."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _suggestion(self, point: Mapping[str, Any]) -> Suggestion:
        label = str(point["#"])
        self._points[label] = point
        try:
            return Suggestion(parameters_of(self._space, point), {_LABEL: label})
        except AlgorithmError as error:
            raise AlgorithmError(f"{self._name}: {error}") from error

    def _result(self, trial: Trial, history: History) -> tuple[Mapping[str, Any], Sequence[float], Sequence[float]]:
        point = self._points.pop(trial.labels.get(_LABEL, ""), None)
        if point is None:
            raise AlgorithmError(f"{self._name} did not propose {trial.name}")
        objective = history.objective
        losses = objective.losses(trial.observation)
        if losses is None:
            return point, (), ()
        return point, losses, objective.violations(trial.parameters, trial.observation)

    def _answer(self, kind: str, content: Any) -> Mapping[str, Any]:
        try:
            return self._process.answer(kind, content)
        except AlgorithmError as error:
            raise AlgorithmError(f"{self._name}: {error}") from error


def kind_of(name: str) -> RivalKind:
    """The rival of that name. Raises UnknownNameError."""
    if name not in RIVALS:
        raise UnknownNameError("rival", name, RIVALS)
    return RIVALS[name]


def check_supported(name: str, spec: ExperimentSpec) -> None:
    """Raises SpecError with what ``spec`` asks for and the rival does not support; of conditions see ``RivalKind``."""
    missing = uses(spec) - kind_of(name).supports - {Feature.CONDITIONS}
    if missing:
        raise SpecError([Problem("", f"not applicable: {name} has no {each.value}") for each in sorted(missing)])


def _setup(kind: RivalKind, spec: ExperimentSpec) -> dict[str, Any]:
    if spec.budget.max_trials is None or spec.seed is None:
        raise SpecError("a rival needs to know the number of trials and a seed")
    return {
        "variant": kind.variant,
        "seed": spec.seed,
        "budget": spec.budget.max_trials,
        "workers": spec.budget.parallel,
        "parameters": described(spec.space),
        "objectives": len(spec.objective.targets),
        "constraints": len(spec.objective.constraints),
    }

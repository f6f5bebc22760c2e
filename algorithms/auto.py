"""Chooses among this project's algorithms, each time it is asked, by what is known then.

The choice is a function of the search space, the budget, the parallelism and the number of finished trials, so it is
the same after a restart; the first line that fits decides. The algorithm that is chosen is given the whole history,
whoever proposed it, with its default settings but for the seed (and ``restart_strategy: bipop`` for ``cmaes``). Labels
of each trial say which one proposed it (``auto/algorithm``) and by which line (``auto/rule``).

Why so: a model has nothing to learn from before trials end, so what starts in one round, or is tried whole in any case,
is spread evenly or enumerated. A Gaussian process finds most with tens to hundreds of trials; past about a thousand,
on numeric spaces, a distribution that narrows around the best point does, and costs a millisecond where that costs a
quarter of a second. It starts at the best tenth of what is known by then, and the choice stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from algorithms import create_algorithm, features_of
from algorithms.architecture.spaces import ArchitectureSpace
from algorithms.choices import Alternative
from algorithms.features import Feature, uses
from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.settings import Settings, parse, setting
from algorithms.sobol import DIMENSIONS
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.ports import Algorithm
from katib.core.space import Choice
from katib.core.trial import Proposal, Suggestion

ALGORITHM = "auto/algorithm"
RULE = "auto/rule"

_MODEL = "bayesianoptimization"
_DISTRIBUTION = "cmaes"
_ENUMERATION = "grid"
_ARCHITECTURES = "gp-nas"
_LEFT = 0.2  # of the trials that make many: so many must be to come, or a distribution has no time to narrow
_DENSE = 10  # times as many points as trials must a space have, for it not to be used up by a distribution
_MOST_DIMENSIONS = 100


@dataclass(frozen=True, slots=True)
class AutoSettings(Settings):
    """Settings of ``auto``."""

    few_points: int = setting(10, low=1, help="points that are few enough to be enumerated")
    many_trials: int = setting(1000, low=10, help="trials with a value after which cmaes takes over")
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the choice is made by. known: finished trials with a value, in the space as it is now. architectures:
    whether the space is one of architectures."""

    spec: ExperimentSpec
    settings: AutoSettings
    known: int
    architectures: bool

    @property
    def few_points(self) -> bool:
        """Whether all points of the space are tried in a round or little more."""
        few = max(self.spec.budget.parallel, self.settings.few_points)
        return self.spec.space.cardinality <= few and _can_use(_ENUMERATION, self.spec)

    @property
    def of_architectures(self) -> bool:
        """Whether networks are searched, and their structure can be learned from."""
        return self.architectures and _can_use(_ARCHITECTURES, self.spec)

    @property
    def one_round(self) -> bool:
        """Whether all trials start at once."""
        limit = self.spec.budget.max_trials
        return limit is not None and limit <= self.spec.budget.parallel and len(self.spec.space) <= DIMENSIONS

    @property
    def many_trials(self) -> bool:
        """Whether so much is known, and to come, that a distribution finds more than a model, and can."""
        space, many, limit = self.spec.space, self.settings.many_trials, self.spec.budget.max_trials
        searched = [parameter for parameter in space if parameter.count > 1]
        numbers = sum(not isinstance(parameter, Choice) for parameter in searched)
        return (
            self.known >= many
            and (limit is None or limit / self.spec.objective.repeats >= math.ceil(many * (1 + _LEFT)))
            and 2 <= len(searched) <= _MOST_DIMENSIONS
            and 2 * numbers >= len(searched)
            and space.cardinality >= _DENSE * many
            and not space.conditional
            and _can_use(_DISTRIBUTION, self.spec)
        )

    @property
    def no_model(self) -> bool:
        """Whether the experiment asks for what the Gaussian process cannot use."""
        return not _can_use(_MODEL, self.spec)


@dataclass(frozen=True, slots=True)
class _Line(Alternative):
    """fits: whether this line decides. settings: of the algorithm, beside the seed."""

    fits: Callable[[Situation], bool] = lambda situation: True
    settings: Mapping[str, str] | None = None


LINES = (
    _Line(
        "few-points",
        "no more points in the space than parallel trials, or than few_points",
        _ENUMERATION,
        lambda situation: situation.few_points,
    ),
    _Line(
        "architectures",
        f"the experiment has a nasConfig and asks for nothing that {_ARCHITECTURES} cannot use",
        _ARCHITECTURES,
        lambda situation: situation.of_architectures,
    ),
    _Line(
        "one-round",
        "as many parallel trials as the experiment has in all: none ends before the last starts",
        "sobol",
        lambda situation: situation.one_round,
    ),
    _Line(
        "many-trials",
        "many_trials have a value and a fifth as many are to come; one objective, no conditions, at least half of "
        f"2 to {_MOST_DIMENSIONS} parameters numeric, ten times as many points as many_trials",
        _DISTRIBUTION,
        lambda situation: situation.many_trials,
        {"restart_strategy": "bipop"},
    ),
    _Line(
        "no-model",
        f"the experiment asks for what {_MODEL} cannot use ('katib algorithms {_MODEL}')",
        "multivariate-tpe",
        lambda situation: situation.no_model,
    ),
    _Line("default", "anything else", _MODEL),
)


class Auto:
    """Chooses among the other algorithms by space, budget, parallel trials and what has finished."""

    settings_class = AutoSettings
    supports = frozenset(Feature)
    models_architectures = True
    choices: tuple[Alternative, ...] = LINES

    def __init__(self, spec: ExperimentSpec, architectures: ArchitectureSpace | None = None) -> None:
        """architectures: what the points of the space are, where networks are searched. Raises SpecError on a bad
        setting."""
        self._settings = parse(AutoSettings, spec.algorithm)
        self._spec = spec
        self._architectures = architectures
        self._delegate = cache(self._create)

    def suggest(self, history: History, count: int) -> Proposal:
        """What the chosen algorithm suggests, labelled."""
        choice = self.choice(history)
        proposal = self._delegate(choice.rule).suggest(history, count)
        labels = {ALGORITHM: choice.algorithm, RULE: choice.rule}
        return replace(proposal, suggestions=tuple(_labelled(each, labels) for each in proposal.suggestions))

    def choice(self, history: History) -> Alternative:
        """The line that decides."""
        view = history.view()
        known = int(np.count_nonzero(view.in_space & ~view.failed))
        spec = replace(self._spec, space=history.space)
        situation = Situation(spec, self._settings, known, self._architectures is not None)
        return next(line for line in LINES if line.fits(situation))

    def _create(self, rule: str) -> Algorithm:
        line = next(line for line in LINES if line.rule == rule)
        settings = dict(line.settings or {})
        if self._settings.random_state is not None:
            settings["random_state"] = str(self._settings.random_state)
        budget = replace(self._spec.budget, max_trials=None)  # grid refuses one beyond the points that there are
        spec = replace(self._spec, algorithm=Component(line.algorithm, settings), budget=budget)
        return create_algorithm(spec, self._architectures)


def _can_use(algorithm: str, spec: ExperimentSpec) -> bool:
    return uses(spec) <= features_of(algorithm)


def _labelled(suggestion: Suggestion, labels: Mapping[str, str]) -> Suggestion:
    return replace(suggestion, labels={**suggestion.labels, **labels})

"""Search algorithms and early-stopping rules, by the names that users write in ``algorithmName``.

Each one is a pure function of its spec and the trial history. An algorithm's module is imported when its name is asked
for, so no search library loads before it is needed. A name of the form ``package.module:Class`` is looked up as it
stands: that is how an algorithm from elsewhere is used.
"""

from __future__ import annotations

from collections.abc import Mapping

from algorithms.architecture.search import ArchitectureSearch
from algorithms.architecture.spaces import ArchitectureSpace
from algorithms.choices import Alternative
from algorithms.features import Feature, check_features
from algorithms.settings import SettingInfo, Settings, describe
from katib.core.experiment import ExperimentSpec
from katib.core.naming import load
from katib.core.ports import Algorithm, Stopper

ALGORITHMS: Mapping[str, str] = {
    "random": "algorithms.random_search:RandomSearch",
    "grid": "algorithms.grid:Grid",
    "sobol": "algorithms.sobol:Sobol",
    "tpe": "algorithms.tpe:TPE",
    "multivariate-tpe": "algorithms.tpe:MultivariateTPE",
    "cmaes": "algorithms.cma_es:CMAES",
    "bayesianoptimization": "algorithms.bayesian_optimization:BayesianOptimization",
    "auto": "algorithms.auto:Auto",
    "hyperband": "algorithms.hyperband:Hyperband",
    "regularized-evolution": "algorithms.regularized_evolution:RegularizedEvolution",
    "local-search": "algorithms.local_search:LocalSearch",
    "enas": "algorithms.enas.suggestion:Enas",
    "gp-nas": "algorithms.gp_nas.suggestion:GPNAS",
    "darts": "algorithms.darts.suggestion:Darts",
    "pbt": "algorithms.population_based_training:PopulationBasedTraining",
}
STOPPERS: Mapping[str, str] = {
    "medianstop": "algorithms.median_stop:MedianStop",
}


def create_algorithm(spec: ExperimentSpec, architectures: ArchitectureSpace | None = None) -> Algorithm:
    """The algorithm that ``spec`` names. architectures: what the points of its space are, where it is one of
    architectures. Raises UnknownNameError, MissingExtraError, or SpecError on bad settings and on what the algorithm
    cannot use."""
    kind = load("algorithm", spec.algorithm.name, ALGORITHMS)
    check_features(spec, getattr(kind, "supports", frozenset()))
    if spec.nas is not None and not getattr(kind, "reads_architectures", False):
        return ArchitectureSearch(spec, create_algorithm)
    algorithm: Algorithm = kind(spec, architectures) if getattr(kind, "models_architectures", False) else kind(spec)
    return algorithm


def create_stopper(spec: ExperimentSpec) -> Stopper | None:
    """The early-stopping rule that ``spec`` names, None if it names none. Raises as ``create_algorithm`` does."""
    if spec.stopper is None:
        return None
    stopper: Stopper = load("early-stopping rule", spec.stopper.name, STOPPERS)(spec)
    return stopper


def settings_of(name: str) -> list[SettingInfo]:
    """The settings of an algorithm or early-stopping rule. Raises UnknownNameError."""
    found = load("algorithm", name, {**ALGORITHMS, **STOPPERS})
    return describe(getattr(found, "settings_class", Settings))


def features_of(name: str) -> frozenset[Feature]:
    """What the algorithm can use beyond a plain search. Raises UnknownNameError."""
    found: frozenset[Feature] = getattr(load("algorithm", name, ALGORITHMS), "supports", frozenset())
    return found


def choices_of(name: str) -> tuple[Alternative, ...]:
    """How it chooses among others, the first that fits; empty for one that does not. Raises UnknownNameError."""
    found: tuple[Alternative, ...] = getattr(load("algorithm", name, {**ALGORITHMS, **STOPPERS}), "choices", ())
    return found

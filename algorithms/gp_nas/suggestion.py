"""Architecture search by a Gaussian process: it learns from all trials how good networks are by the paths from their
input to their output (path encoding of White, Neiswanger & Savani 2021, "BANANAS: Bayesian optimization with neural
architectures for neural architecture search", with a Gaussian process in place of its ensemble of networks) and by the
single choices, and proposes the one of largest expected improvement.

* The first trials are random ones. Compared then are changes of the best architectures and random ones.
* Equivalent architectures, which differ only in what is passed on or never reaches the output, are tried once, as long
  as there are others.
* Noise is estimated with the lengthscales, from the finished prefix at fixed numbers of trials.
* Failed trials count as the worst that was seen, pending ones with values that are drawn from the model.
* With ``resource_name``, ``r_l`` and ``min_resource`` new architectures are trained for a short time, and as much as
  that costs is spent on letting those go on from which a second process, which also knows their short results, expects
  the most.

Experiments with ``nasConfig`` only.
"""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.architecture.search import SETTINGS
from algorithms.architecture.spaces import ArchitectureSpace
from algorithms.blas_threads import one_blas_thread
from algorithms.gp_nas.rungs import resources
from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.randomness import seed_of
from algorithms.settings import Settings, parse, setting
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.naming import load
from katib.core.space import Integer
from katib.core.trial import Proposal


@dataclass(frozen=True, slots=True)
class GPNASSettings(Settings):
    """Settings of ``gp-nas``."""

    resource_name: str = setting("", help="parameter that carries the resource of a trial, for example epochs")
    r_l: int | None = setting(None, low=1, help="the largest resource that one trial is given")
    eta: int = setting(8, low=2, help="a rung's trials have at least eta times the resource of the one below")
    prior: str = setting(
        "none", choices=("none", "size"),
        help="size: networks with more weights are expected to be better: the first trials are large ones, and the "
        "model knows sizes",
    )  # fmt: skip
    initial_points: int = setting(10, low=2, help="random trials before the model is asked")
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


class GPNAS:
    """Random architectures first, then those from which the model expects the most."""

    settings_class = GPNASSettings
    models_architectures = True
    searcher = "algorithms.gp_nas.searcher:Searcher"  # looked up late, so that the settings can be read without it

    def __init__(self, spec: ExperimentSpec, architectures: ArchitectureSpace | None = None) -> None:
        """architectures: what the points of the space are. Raises SpecError without them, or on a bad setting."""
        settings = parse(GPNASSettings, spec.algorithm)
        if architectures is None:
            raise SpecError([Problem("spec.nasConfig", f"missing: {spec.algorithm.name} searches architectures")])
        kind = load("engine", self.searcher, {})
        seed = seed_of(settings.random_state, spec.seed)
        rungs: tuple[int, ...] = ()
        if settings.resource_name:
            if settings.r_l is None:
                raise SpecError([Problem(f"{SETTINGS}[r_l]", "missing, expected the largest resource of a trial")])
            resource = spec.space[settings.resource_name]
            assert isinstance(resource, Integer)
            rungs = resources(int(resource.low), int(resource.high), settings.eta)
        self._searcher = kind(
            architectures, seed, settings.initial_points, settings.resource_name, rungs,
            by_size=settings.prior == "size",
        )  # fmt: skip

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new architectures, or fewer and ``exhausted`` if no more exist."""
        with one_blas_thread():
            proposal: Proposal = self._searcher.suggest(history, count)
        return proposal

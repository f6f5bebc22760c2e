"""Settings of ``bayesianoptimization``: Katib's, and which engine does the work."""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.settings import Settings, setting


@dataclass(frozen=True, slots=True)
class BayesianOptimizationSettings(Settings):
    """Settings of ``bayesianoptimization``."""

    engine: str = setting(
        "auto",
        choices=("auto", "gp", "skopt"),
        help="gp: this project's own Gaussian process; skopt: scikit-optimize; auto: gp, but skopt for what it "
        "alone has: other surrogates than GP, and acquisition functions that end in ps",
    )
    base_estimator: str = setting(
        "GP",
        choices=("GP", "RF", "ET", "GBRT"),
        help="surrogate: Gaussian process, random forest, extra trees or gradient-boosted quantiles",
    )
    n_initial_points: int | None = setting(
        None,
        low=0,
        help="space-filling trials before the surrogate chooses; by default 10 with skopt, with gp two more than there "
        "are parameters, at most 15 % of the budget, from 4 to 10",
    )
    acq_func: str = setting(
        "gp_hedge",
        choices=("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"),
        help="acquisition function; gp_hedge: EI with gp, a choice among EI, LCB and PI with skopt; those with ps "
        "weigh in the trial's duration",
    )
    acq_optimizer: str = setting(
        "auto",
        choices=("auto", "sampling", "lbfgs"),
        help="how skopt maximises the acquisition function; auto takes lbfgs where the surrogate has gradients",
    )
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)

    @property
    def skopt(self) -> bool:
        """Whether scikit-optimize is asked for."""
        return self.engine == "skopt" or (self.engine == "auto" and not self.known_to_gp)

    @property
    def known_to_gp(self) -> bool:
        """Whether this project's own engine has the surrogate and the acquisition function."""
        return self.base_estimator == "GP" and not self.acq_func.endswith("ps")

"""Logs made up for tests: what they hold is known because it is written here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.search.trial_log import RunLog, TrialLog, dumps


def trial(*losses: float, known: int = 0, ask: float = 0.01, duplicate: bool = False, violation: float = 0) -> TrialLog:
    violations = (violation,) if violation else ()
    return TrialLog({"x": 0.5}, losses, violations, duplicate, ask, known, float(known), known + 1.0)


def run_log(losses: Sequence[float | None] | None = None, **fields: object) -> RunLog:
    """A log of one trial for each loss; None: the trial failed."""
    found = losses if losses is not None else (1.0,)
    log = RunLog(
        suite="toys",
        problem="bowl",
        family="toys",
        algorithm="random",
        seed=0,
        workers=1,
        budget=len(found),
        best=0.0,
        typical=1.0,
        worst=(),
        trials=tuple(trial(*([] if loss is None else [loss]), known=i) for i, loss in enumerate(found)),
        exhausted=False,
        error="",
        versions={"toys": "1.0"},
        machine="abacus, 2 cores",
    )
    return log._replace(**fields)


def write_logs(folder: Path, logs: Iterable[RunLog]) -> Path:
    """As the runner leaves them."""
    for log in logs:
        path = folder / log.suite / log.problem / log.algorithm / f"w{log.workers}-s{log.seed}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dumps(log))
    return folder


SKILLS = {
    "bayesianoptimization": 1.6,
    "tpe": 1.0,
    "random": 0.4,
    "optuna-tpe": 1.0,
    "optuna-gp": 1.5,
    "hebo": 1.45,
}


def contest(
    skills: dict[str, float],
    problems: Sequence[tuple[str, str]],
    seeds: int,
    budget: int,
    workers: Sequence[int] = (1,),
) -> Iterable[RunLog]:
    """Runs whose regret falls as ``trials ** -skill`` times luck that depends on the algorithm, the problem and the
    seed; problems: (name, family), those of the family "special" fail at times, those of "multi-objective" have two
    losses."""
    for place, (problem, family) in enumerate(problems):
        for number, (algorithm, skill) in enumerate(skills.items()):
            for count in workers:
                for seed in range(seeds):
                    rng = np.random.default_rng([place, number, seed, count])
                    yield _made_up(problem, family, algorithm, skill, budget, count, seed, rng)


def _made_up(problem, family, algorithm, skill, budget, workers, seed, rng) -> RunLog:
    depth = skill * rng.uniform(0.6, 1.4)
    losses = (np.arange(1, budget + 1) ** -depth) * rng.lognormal(0.5, 1.0, budget)
    lost = rng.random(budget) < (0.3 * np.linspace(1, 0.2, budget) if family == "special" else 0)
    ask = 10 ** rng.normal(-3 + skill, 0.2, budget)
    make: Callable[[int], tuple[float, ...]] = lambda i: (losses[i],)  # noqa: E731
    worst: tuple[float, ...] = ()
    if family == "multi-objective":
        share = rng.random(budget)
        make, worst = lambda i: (share[i] + losses[i], 1 - share[i] + losses[i]), (1.5, 1.5)
    trials = tuple(
        TrialLog({"x": 0.5}, () if lost[i] else make(i), (), bool(rng.random() < 0.02), float(ask[i]), i, i, i + 1.0)
        for i in range(budget)
    )
    return run_log(
        problem=problem, family=family, algorithm=algorithm, seed=seed, workers=workers, budget=budget,
        trials=trials, worst=worst, best=None if family == "multi-objective" else 0.0,
    )  # fmt: skip

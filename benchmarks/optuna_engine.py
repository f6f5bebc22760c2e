"""The same no-op trials with Optuna, for comparison: its RandomSampler over its own storages."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import optuna


def optuna_rate(storage: str, trials: int) -> float:
    """Trials a second; storage: ``sqlite`` for a SQLite file as Optuna sets it up, empty for memory."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'optuna.db'}" if storage else None
        study = optuna.create_study(storage=url, sampler=optuna.samplers.RandomSampler(seed=1))
        study.optimize(_no_op, n_trials=10)
        began = time.perf_counter()
        study.optimize(_no_op, n_trials=trials)
        return trials / (time.perf_counter() - began)


def _no_op(trial: optuna.Trial) -> float:
    trial.suggest_int("n", 1, 1_000_000)
    return trial.suggest_float("x", 0.0, 1.0)

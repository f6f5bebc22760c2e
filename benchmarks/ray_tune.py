"""The same no-op trials with Ray Tune, for comparison: its own loop over the same Ray."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # no log files for TensorBoard, CSV and JSON

from ray import tune


class _NoOp(tune.Trainable):
    """One report, then done; may be used again, so that its actor can be."""

    def setup(self, config: Mapping[str, Any]) -> None:
        self._x = float(config["x"])

    def step(self) -> dict[str, Any]:
        return {"objective": self._x, "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        return None

    def load_checkpoint(self, checkpoint: Any) -> None:
        return None

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        self._x = float(new_config["x"])
        return True


def tune_rate(trials: int, parallel: int, *, reuse_actors: bool) -> float:
    """Trials a second of one fresh experiment, start-up of its loop included."""
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(_NoOp, {"cpu": 1}),
            param_space={"x": tune.uniform(0.0, 1.0), "n": tune.randint(1, 1_000_000)},
            tune_config=tune.TuneConfig(
                num_samples=trials,
                max_concurrent_trials=parallel,
                reuse_actors=reuse_actors,
                metric="objective",
                mode="min",
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        began = time.perf_counter()
        results = tuner.fit()
        seconds = time.perf_counter() - began
    if results.num_errors or len(results) != trials:
        raise RuntimeError(f"Ray Tune: {results.num_errors} of {len(results)} trials failed")
    return trials / seconds

"""An experiment in a store, of trials with curves."""

from __future__ import annotations

from collections.abc import Iterator

import katib

SPACE = {
    "rate": katib.search.double(0, 1),
    "layers": katib.search.int(1, 3),
    "mode": katib.search.categorical(["a", None, True]),
}
EPOCHS = 3


def run_trials(url: str, name: str = "study", max_trials: int = 3) -> None:
    """Run the experiment up to ``max_trials``; number 1 fails after two epochs."""
    for _ in trials_of(url, name, max_trials):
        pass


def trials_of(url: str, name: str, max_trials: int) -> Iterator[str]:
    """The same, and the name of each trial after its first report."""
    settings = {"metric": "loss", "max_trials": max_trials, "algorithm": "random", "seed": 3}
    with katib.Optimizer(SPACE, store=url, name=name, **settings) as optimizer:
        while trial := optimizer.ask():
            for epoch in range(EPOCHS):
                loss = trial.parameters["rate"] + 1 / (epoch + 1)
                optimizer.report(trial, {"loss": loss, "extra": float("nan") if epoch else 1.0}, step=epoch)
                if epoch == 0:
                    yield trial.name
                if trial.number == 1 and epoch == 1:
                    optimizer.tell(trial, state="failed", reason="broken")
                    break
            else:
                optimizer.tell(trial)

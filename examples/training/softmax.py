"""The training that the small examples share: softmax regression on data that ships with scikit-learn.

Gradient descent with momentum, in numpy. ``train`` yields after each epoch; the scripts beside this module differ in
how they tell what it found. It keeps its state in $KATIB_CHECKPOINT_DIR, if there is such, so a trial goes on where its
parent, or its own last attempt, has stopped (docs/checkpoints.md).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Data -> its file among those of scikit-learn. To import that package would take longer than the training does.
DATA = {"digits": "digits.csv.gz", "wine": "wine_data.csv", "breast_cancer": "breast_cancer.csv"}


class Epoch(NamedTuple):
    """number: 1, 2, ... of this model. accuracy, loss (cross-entropy): on the third of the data not trained on."""

    number: int
    accuracy: float
    loss: float


def parser(purpose: str) -> argparse.ArgumentParser:
    """The options of the training; a script may add its own."""
    found = argparse.ArgumentParser(description=purpose)
    found.add_argument("--data", choices=tuple(DATA), default="digits")
    found.add_argument("--scaling", choices=("none", "range", "deviation"), default="deviation", help="of each feature")
    found.add_argument("--learning-rate", type=float, default=0.1)
    found.add_argument("--momentum", type=float, default=0.0)
    found.add_argument("--weight-decay", type=float, default=0.0)
    found.add_argument("--batch-size", type=int, default=32)
    found.add_argument("--epochs", type=int, default=10, help="in all, those behind the checkpoint included")
    found.add_argument("--more-epochs", type=int, help="of this trial, on top of its parent's; in place of --epochs")
    found.add_argument("--checkpoints", type=Path, default=os.environ.get("KATIB_CHECKPOINT_DIR"))
    return found


def train(options: argparse.Namespace) -> Iterator[Epoch]:
    """Train, and yield after each epoch, before its state is saved: what is saved was told."""
    x, y, held_out, labels = load(options.data, options.scaling)
    state = begin(options, (x.shape[1], int(y.max()) + 1))
    last = options.epochs if options.more_epochs is None else int(state["inherited"]) + options.more_epochs
    for number in range(int(state["epoch"]) + 1, last + 1):
        with np.errstate(all="ignore"):  # too high a learning rate diverges, as the metrics say
            descend(state, x, y, options, np.random.default_rng(number))
            chances = probabilities(state["weights"], held_out)
            loss = -np.log(chances[np.arange(len(labels)), labels] + 1e-12).mean()
        yield Epoch(number, float(np.mean(chances.argmax(axis=1) == labels)), float(loss))
        state["epoch"] = number
        save(state, options.checkpoints)


def load(name: str, scaling: str) -> tuple[np.ndarray, ...]:
    """Features with a column of ones and labels, of two thirds of the data, then of the rest."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise SystemExit("the data comes with scikit-learn, which is not installed: pip install scikit-learn")
    file = Path(package.origin).parent / "datasets" / "data" / DATA[name]
    table = np.loadtxt(file, delimiter=",", skiprows=0 if name == "digits" else 1)
    x, y = table[:, :-1], table[:, -1].astype(int)
    order = np.random.default_rng(0).permutation(len(y))
    x, y, cut = x[order], y[order], len(y) * 2 // 3
    if scaling == "range":
        x = (x - x[:cut].min(axis=0)) / (np.ptp(x[:cut], axis=0) + 1e-9)
    elif scaling == "deviation":
        x = (x - x[:cut].mean(axis=0)) / (x[:cut].std(axis=0) + 1e-9)
    x = np.column_stack([x, np.ones(len(x))])
    return x[:cut], y[:cut], x[cut:], y[cut:]


def descend(state: dict[str, Any], x: np.ndarray, y: np.ndarray, options: argparse.Namespace, rng: Any) -> None:
    """One epoch."""
    order = rng.permutation(len(y))
    for start in range(0, len(y), options.batch_size):
        batch = order[start : start + options.batch_size]
        error = probabilities(state["weights"], x[batch])
        error[np.arange(len(batch)), y[batch]] -= 1
        gradient = x[batch].T @ error / len(batch) + options.weight_decay * state["weights"]
        state["velocity"] = options.momentum * state["velocity"] - options.learning_rate * gradient
        state["weights"] = state["weights"] + state["velocity"]


def probabilities(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    logits = x @ weights
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def begin(options: argparse.Namespace, shape: tuple[int, int]) -> dict[str, Any]:
    """The state to go on from. inherited: the epochs that it had when this trial began."""
    trial = os.environ.get("KATIB_TRIAL_NAME", "")
    state = {"weights": np.zeros(shape), "velocity": np.zeros(shape), "epoch": 0, "inherited": 0, "trial": trial}
    file = options.checkpoints / "softmax.npz" if options.checkpoints else None
    if file is not None and file.exists():
        state = dict(np.load(file))
        print(f"goes on after epoch {state['epoch']} of trial {state['trial']}", flush=True)
    if state["trial"] != trial:
        state.update(trial=trial, inherited=state["epoch"])
    return state


def save(state: dict[str, Any], folder: Path | None) -> None:
    """Written aside and renamed, so that a trial that is ended meanwhile leaves a whole file."""
    if folder is not None:
        np.savez(folder / "aside.npz", **state)
        os.replace(folder / "aside.npz", folder / "softmax.npz")

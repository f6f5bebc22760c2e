"""Train a small network on scikit-learn's handwritten digits, and print a line of metrics after each epoch.

An ordinary training script: options in, lines such as ``epoch=3 accuracy=0.9531 loss=0.1430`` out. It knows nothing of
whoever runs it, but where KATIB_CHECKPOINT_DIR is set it continues from a checkpoint that it finds there, so that a
promoted trial (Hyperband) trains only the epochs that its predecessor did not.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

Arrays = dict[str, np.ndarray]

CLASSES = 10
VALIDATION = 500  # pictures that are never trained on


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--momentum", type=float, default=0.9, help="of the gradient descent, in [0, 1)")
    parser.add_argument("--hidden-units", type=int, default=64, help="of each of the two hidden layers")
    parser.add_argument("--activation", choices=("relu", "tanh", "sigmoid"), default="relu")
    parser.add_argument("--weight-decay", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def load_data(rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    """Training pictures, each also shifted by a pixel in four directions, and validation pictures; x in [0, 1]."""
    pictures, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(labels))
    pictures, labels = pictures[order].reshape(-1, 8, 8) / 16, labels[order]
    held_out, rest = pictures[:VALIDATION], pictures[VALIDATION:]
    shifts = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
    shifted = np.concatenate([np.roll(rest, shift, axis=(1, 2)) for shift in shifts])
    train = {"x": shifted.reshape(-1, 64), "y": np.tile(labels[VALIDATION:], len(shifts))}
    return train, {"x": held_out.reshape(-1, 64), "y": labels[:VALIDATION]}


def new_network(hidden: int, rng: np.random.Generator) -> Arrays:
    """Weights w0, w1, w2 and biases b0, b1, b2; Glorot's uniform start."""
    sizes = (64, hidden, hidden, CLASSES)
    network: Arrays = {}
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        bound = np.sqrt(6 / (inputs + outputs))
        network[f"w{layer}"] = rng.uniform(-bound, bound, (inputs, outputs))
        network[f"b{layer}"] = np.zeros(outputs)
    return network


def activate(x: np.ndarray, kind: str) -> np.ndarray:
    if kind == "relu":
        return np.maximum(x, 0)
    return np.tanh(x) if kind == "tanh" else 1 / (1 + np.exp(-x))


def slope(activated: np.ndarray, kind: str) -> np.ndarray:
    """Derivative of the activation, from its value."""
    if kind == "relu":
        return activated > 0
    return 1 - activated**2 if kind == "tanh" else activated * (1 - activated)


def forward(network: Arrays, x: np.ndarray, kind: str) -> list[np.ndarray]:
    """The input, both hidden layers and the classes' probabilities."""
    layers = [x]
    for layer in range(2):
        layers.append(activate(layers[-1] @ network[f"w{layer}"] + network[f"b{layer}"], kind))
    logits = layers[-1] @ network["w2"] + network["b2"]
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return [*layers, weights / weights.sum(axis=1, keepdims=True)]


def gradients(network: Arrays, x: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> Arrays:
    """Of the mean cross-entropy and the weight decay."""
    layers = forward(network, x, options.activation)
    error = layers[3].copy()
    error[np.arange(len(y)), y] -= 1
    error /= len(y)
    found: Arrays = {}
    for layer in (2, 1, 0):
        found[f"w{layer}"] = layers[layer].T @ error + options.weight_decay * network[f"w{layer}"]
        found[f"b{layer}"] = error.sum(axis=0)
        if layer:
            error = (error @ network[f"w{layer}"].T) * slope(layers[layer], options.activation)
    return found


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    order = rng.permutation(count)
    for start in range(0, count, size):
        yield order[start : start + size]


def evaluate(network: Arrays, data: Arrays, kind: str) -> tuple[float, float]:
    """Accuracy and cross-entropy."""
    probabilities = forward(network, data["x"], kind)[-1]
    right = probabilities[np.arange(len(data["y"])), data["y"]]
    return float(np.mean(probabilities.argmax(axis=1) == data["y"])), float(-np.log(right + 1e-12).mean())


def load_checkpoint(path: Path | None) -> tuple[int, Arrays, Arrays] | None:
    """Epochs done, weights and velocities."""
    if path is None or not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        network = {name[1:]: file[name] for name in file if name[0] == "n"}
        velocity = {name[1:]: file[name] for name in file if name[0] == "v"}
        return int(file["epoch"]), network, velocity


def save_checkpoint(path: Path, epoch: int, network: Arrays, velocity: Arrays) -> None:
    """Written aside and renamed, so that a trial that is stopped meanwhile leaves a whole file."""
    aside = path.with_suffix(".part.npz")
    arrays = {f"n{name}": a for name, a in network.items()} | {f"v{name}": a for name, a in velocity.items()}
    np.savez(aside, epoch=epoch, **arrays)
    aside.replace(path)


def main() -> None:
    options = parse_options()
    train, validation = load_data(np.random.default_rng(options.seed))
    folder = os.environ.get("KATIB_CHECKPOINT_DIR")
    checkpoint = Path(folder) / "digits.npz" if folder else None
    network = new_network(options.hidden_units, np.random.default_rng([options.seed, 1]))
    done, velocity = 0, {name: np.zeros_like(a) for name, a in network.items()}
    if loaded := load_checkpoint(checkpoint):
        done, network, velocity = loaded
        print(f"continue after epoch {done}", flush=True)
    for epoch in range(done + 1, options.epochs + 1):
        for batch in batches(len(train["y"]), options.batch_size, np.random.default_rng([options.seed, 2, epoch])):
            for name, gradient in gradients(network, train["x"][batch], train["y"][batch], options).items():
                velocity[name] = options.momentum * velocity[name] - options.learning_rate * gradient
                network[name] += velocity[name]
        accuracy, loss = evaluate(network, validation, options.activation)
        if checkpoint:
            save_checkpoint(checkpoint, epoch, network, velocity)
        print(f"epoch={epoch} accuracy={accuracy:.4f} loss={loss:.4f}", flush=True)


if __name__ == "__main__":
    # One thread, since trials run beside each other; a learning rate that is too high diverges, as the metrics say.
    with threadpool_limits(1), np.errstate(all="ignore"):
        main()

"""Trains a network that a search over a nasConfig chose: a chain of dense layers, with skip connections from any
earlier one. In numpy, on data that ships with scikit-learn; prints its metrics after each epoch.
"""

from __future__ import annotations

import argparse
import ast

import numpy as np
import softmax

ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}
SLOPES = {"relu": lambda a: a > 0, "tanh": lambda a: 1 - a**2}  # of the activation, by its value


class Layer:
    """Dense. sources: numbers of the states that are its input side by side; state 0 is the network's input."""

    def __init__(self, sources: list[int], widths: list[int], width: int, activation: str, rng: np.random.Generator):
        self.sources, self.widths, self.activation = sources, widths, activation
        self.weights = rng.normal(0, (2 / sum(widths)) ** 0.5, (sum(widths), width))
        self.velocity = np.zeros_like(self.weights)

    def forward(self, states: list[np.ndarray]) -> np.ndarray:
        self.input = np.concatenate([states[source] for source in self.sources], axis=1)
        self.output = ACTIVATIONS[self.activation](self.input @ self.weights)
        return self.output

    def backward(self, gradient: np.ndarray, rate: float) -> list[np.ndarray]:
        """Take a step, and give the gradients of the sources."""
        gradient = gradient * SLOPES[self.activation](self.output)
        passed_on = gradient @ self.weights.T
        self.velocity = 0.9 * self.velocity - rate * self.input.T @ gradient
        self.weights = self.weights + self.velocity
        return np.split(passed_on, np.cumsum(self.widths)[:-1], axis=1)


def build(architecture: list[list[int]], network: dict, inputs: int, rng: np.random.Generator) -> list[Layer]:
    """Katib's rows: for each layer the number of its operation, then whether each earlier layer's output is joined."""
    widths, layers = [inputs], []
    for number, (operation, *skips) in enumerate(architecture):
        chosen = network["embedding"][str(operation)]["opt_params"]
        sources = sorted({number, *(source + 1 for source, skip in enumerate(skips) if skip)})
        layers.append(Layer(sources, [widths[s] for s in sources], chosen["units"], chosen["activation"], rng))
        widths.append(chosen["units"])
    return layers


def forward(layers: list[Layer], x: np.ndarray) -> list[np.ndarray]:
    states = [x]
    for layer in layers:
        states.append(layer.forward(states))
    return states


def step(layers: list[Layer], last: np.ndarray, x: np.ndarray, y: np.ndarray, rate: float) -> np.ndarray:
    """One step of gradient descent; the weights of the last layer behind it."""
    states = forward(layers, x)
    error = softmax.probabilities(last, states[-1])
    error[np.arange(len(y)), y] -= 1
    gradients = [np.zeros_like(state) for state in states]
    gradients[-1] = error @ last.T / len(y)
    for number in range(len(layers), 0, -1):
        layer = layers[number - 1]
        for source, gradient in zip(layer.sources, layer.backward(gradients[number], rate), strict=True):
            gradients[source] = gradients[source] + gradient
    return last - rate * states[-1].T @ error / len(y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", type=ast.literal_eval, required=True)
    parser.add_argument("--nn-config", type=ast.literal_eval, required=True)
    parser.add_argument("--data", choices=tuple(softmax.DATA), default="digits")
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    x, y, held_out, labels = softmax.load(options.data, "deviation")
    rng = np.random.default_rng(0)
    layers = build(options.architecture, options.nn_config, x.shape[1], rng)
    last = np.zeros((layers[-1].weights.shape[1], int(y.max()) + 1))
    for epoch in range(1, options.epochs + 1):
        order = rng.permutation(len(y))
        for start in range(0, len(y), 32):
            batch = order[start : start + 32]
            last = step(layers, last, x[batch], y[batch], 0.02)
        chances = softmax.probabilities(last, forward(layers, held_out)[-1])
        loss = -np.log(chances[np.arange(len(labels)), labels] + 1e-12).mean()
        print(f"epoch={epoch} accuracy={np.mean(chances.argmax(axis=1) == labels):.4f} loss={loss:.4f}", flush=True)


if __name__ == "__main__":
    main()

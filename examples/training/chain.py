"""Trains the network of a chain of layers (extra ``nas``) on scikit-learn's digits, and prints a line such as
``epoch=2 loss=0.2160 accuracy=0.9368`` after each epoch: cross-entropy and share of right answers on images that are
not trained on."""

from __future__ import annotations

import argparse

import torch
from torch.nn.functional import cross_entropy

from algorithms.networks.building import Width, network
from algorithms.networks.data import load_images
from algorithms.networks.training import Recipe, retrain

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--architecture", required=True, help="for each layer its operation, and which ones are joined")
parser.add_argument("--nn-config", required=True, help="what the operations are")
parser.add_argument("--epochs", type=int, default=2)
given = parser.parse_args()

torch.set_num_threads(1)
images = load_images("digits")
texts = {"architecture": given.architecture, "nn_config": given.nn_config}
chain = network(texts, images.classes, images.shape, Width(channels=8))


def report(metrics):
    chain.eval()
    with torch.no_grad():
        loss = cross_entropy(chain(images.validation.inputs), images.validation.labels).item()
    print(f"epoch={metrics.epoch} loss={loss:.4f} accuracy={metrics.accuracy:.4f}", flush=True)


retrain(chain, images.train, images.validation, Recipe(given.epochs, learning_rate=0.1), report=report)

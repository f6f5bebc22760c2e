"""A search for a chain of layers within one trial, with shared weights: ``python -m algorithms.enas.train``.

Prints the metrics of each epoch, and at the end the best chain as ``Best-Architecture={...}`` and, trained from
scratch, its accuracy on the test images as ``accuracy=0.9756``. A search that was interrupted goes on from its
checkpoint folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from algorithms.architecture.operations import Operation, operation_named, operations_of
from algorithms.architecture.reading import BEST_ARCHITECTURE
from algorithms.architecture.spaces import Graph
from algorithms.enas.search import Plan, SearchMetrics, SharedSearch
from algorithms.enas.settings import EnasSettings
from algorithms.networks.data import DIGITS, load_images
from algorithms.networks.training import EpochMetrics
from algorithms.networks.trial_program import CHECKPOINT_FOLDER, checkpoint_folder, ended, say, trial_seed
from algorithms.settings import describe, parse
from katib.core.errors import PermanentError
from katib.core.experiment import Component

# Those of Pham et al. 2018, section 2.3.
SIZED = ("convolution_3x3", "convolution_5x5", "separable_convolution_3x3", "separable_convolution_5x5")
OPERATIONS = ",".join((*SIZED, "max_pooling_3x3", "avg_pooling_3x3"))
# What differs from a search of many trials: there are many more rewards, and each of them is a rough one.
CONTROLLER: Mapping[str, str] = {
    "controller_train_steps": "30",
    "controller_learning_rate": "0.003",
    "controller_entropy_weight": "0.0001",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, print, and give the exit status: 2 for what is wrong with the arguments or the data."""
    given = vars(_parser().parse_args(arguments))
    return ended(lambda: _search(given))


def _search(given: Mapping[str, Any]) -> None:
    if given["threads"]:
        torch.set_num_threads(given["threads"])
    operations, layers = _space(given)
    images = load_images(given["data"], folder=given["data_folder"], validation=given["validation"])
    settings = parse(EnasSettings, Component("enas", {name: given[name] for name in _controller_settings()}))
    search = SharedSearch(operations, layers, images, _plan(given), settings)
    folder = given["checkpoint"]
    search.run(folder and folder / "search.pt", _print_search)
    best = search.finished(folder, _print_retraining)[0]
    say(f"{BEST_ARCHITECTURE}={best.chain}")
    say(f"validation_accuracy={best.validation:.4f} accuracy={best.test:.4f}")


def _plan(given: Mapping[str, Any]) -> Plan:
    chosen = {name: given[name] for name in Plan.__dataclass_fields__}
    return Plan(**{**chosen, "seed": trial_seed() if given["seed"] is None else given["seed"]})


def _space(given: Mapping[str, Any]) -> tuple[Sequence[Operation], int]:
    """Operations and depth."""
    text = given["nas_config"]
    if not text:
        return [operation_named(label.strip()) for label in given["operations"].split(",")], given["layers"]
    try:
        tree = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PermanentError(f"--nas-config: expected a nasConfig as JSON, or a file with one: {error}") from None
    return operations_of(tree), Graph.of(tree).layers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m algorithms.enas.train", description=__doc__)
    add = parser.add_argument
    add("--operations", default=OPERATIONS, help="labels, with commas between them")
    add("--layers", type=int, default=4)
    add("--nas-config", default="", help="a nasConfig as JSON, or a file with one, in place of operations and layers")
    add("--data", default=DIGITS, help="a data set by name")
    add("--data-folder", default=None, help="where it lies")
    add("--validation", type=float, default=0.3, help="share of the training images that the controller learns by")
    add("--checkpoint", type=Path, default=checkpoint_folder(), help=f"folder to go on from; or ${CHECKPOINT_FOLDER}")
    add("--threads", type=int, default=0, help="of PyTorch; 0 leaves them to it")
    for name, field in Plan.__dataclass_fields__.items():
        default = None if name == "seed" else field.default
        add(f"--{name.replace('_', '-')}", type=type(field.default), default=default)
    for name, info in _controller_settings().items():
        default = CONTROLLER.get(name, str(info.default))
        add(f"--{name.replace('_', '-')}", default=default, help=f"{info.help} ({default})")
    return parser


def _controller_settings() -> dict[str, Any]:
    """Those of ``enas`` that a search within one trial has too, by name."""
    others = ("controller_log_every_steps", "random_state")
    return {info.name: info for info in describe(EnasSettings) if info.name not in others}


def _print_search(metrics: SearchMetrics) -> None:
    values = (f"{name}={getattr(metrics, name):.4f}" for name in ("loss", "reward", "entropy", "joined"))
    say(f"epoch={metrics.epoch} {' '.join(values)}")


def _print_retraining(candidate: int, metrics: EpochMetrics) -> None:
    numbers = f"candidate={candidate} retrain_epoch={metrics.epoch}"
    say(f"{numbers} retrain_loss={metrics.loss:.4f} retrain_accuracy={metrics.accuracy:.4f}")


if __name__ == "__main__":
    sys.exit(main())

"""A trial that trains one architecture: ``python -m algorithms.networks.train --architecture TEXT``.

It prints ``epoch=1 loss=0.9 accuracy=0.7`` after each epoch, the accuracy on validation images, so that it can be
stopped early. With several seeds these lines have the name ``seed-accuracy``, and at the end ``accuracy`` is the mean,
``accuracy-half-width`` half of its 95 % interval. A genotype is printed too, as Katib's trial images print it. Training
goes on where an earlier attempt was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from algorithms.architecture.cells import Genotype
from algorithms.architecture.macro import ARCHITECTURE, NETWORK
from algorithms.architecture.reading import BEST_GENOTYPE, Architecture, read_architecture
from algorithms.networks.building import Width, network
from algorithms.networks.data import NAMES, Images, load_images
from algorithms.networks.retraining import chosen_device
from algorithms.networks.training import EpochMetrics, Recipe, interval, retrain
from algorithms.networks.trial_program import checkpoint_folder, ended, say, trial_seed
from katib.core.errors import PermanentError

DESCRIPTION = "Train one architecture, and print its accuracy on validation images after each epoch."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trial; returns the exit status. What the user has to mend is printed as one line."""
    options = _parser().parse_args(arguments)
    return ended(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m algorithms.networks.train", description=DESCRIPTION)
    text = "a genotype, a cell of NAS-Bench-201, a chain, or a file with one"
    parser.add_argument("--architecture", "--genotype", required=True, metavar="TEXT|FILE", help=text)
    parser.add_argument("--nn-config", metavar="TEXT", help="what the operations of a chain are")
    parser.add_argument("--data", default="digits", choices=NAMES)
    parser.add_argument("--data-folder", metavar="DIR", help="where mnist and cifar10 lie; default: $KATIB_DATA")
    parser.add_argument("--examples", type=int, metavar="NUMBER", help="training images at most")
    parser.add_argument("--validation", type=float, default=0.2, metavar="SHARE", help="not trained on, but judged by")
    parser.add_argument("--epochs", type=int, default=3, metavar="NUMBER")
    parser.add_argument("--batch-size", type=int, default=64, metavar="NUMBER")
    parser.add_argument("--learning-rate", type=float, default=0.05, metavar="NUMBER")
    parser.add_argument("--channels", type=int, metavar="NUMBER", help="of the first cells; default: as published")
    parser.add_argument("--cells", type=int, metavar="NUMBER", help="in all, or a stage; default: as published")
    parser.add_argument("--seed", type=int, metavar="NUMBER", help="of the first network; default: $KATIB_SEED or 0")
    parser.add_argument("--seeds", type=int, default=1, metavar="NUMBER", help="networks, over which the mean is taken")
    parser.add_argument("--threads", type=int, default=1, metavar="NUMBER", help="on the processor; trials share it")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1; auto: a GPU where there is one")
    return parser


def _run(options: argparse.Namespace) -> None:
    torch.set_num_threads(max(1, options.threads))
    architecture = _architecture(options)
    images = load_images(
        options.data,
        folder=options.data_folder,
        examples=options.examples,
        validation=options.validation,
        device=chosen_device(options.device),
    )
    first = options.seed if options.seed is not None else trial_seed()
    scores = [_trained(architecture, images, options, first + number) for number in range(max(1, options.seeds))]
    if isinstance(architecture, Genotype):
        say(f"{BEST_GENOTYPE}={architecture}")
    if options.seeds > 1:
        found = interval(scores)
        say(f"accuracy={found.mean:.6f} accuracy-half-width={found.half_width:.6f}")


def _architecture(options: argparse.Namespace) -> Architecture:
    """What the options tell. Raises PermanentError."""
    text = options.architecture
    try:
        if options.nn_config:
            return read_architecture({ARCHITECTURE: text, NETWORK: options.nn_config})
        is_file = len(text) < 256 and Path(text).is_file()
        return read_architecture(Path(text).read_text(encoding="utf-8") if is_file else text)
    except ValueError as error:
        raise PermanentError(f"--architecture: {error}") from None


def _trained(architecture: Architecture, images: Images, options: argparse.Namespace, seed: int) -> float:
    """The accuracy of one network after its last epoch."""
    width = Width(options.channels, options.cells)
    module = network(architecture, images.classes, images.shape, width, seed=seed)
    recipe = Recipe(epochs=options.epochs, batch_size=options.batch_size, learning_rate=options.learning_rate)
    folder = checkpoint_folder()
    checkpoint = folder and folder / f"seed-{seed}.checkpoint"
    name = "accuracy" if options.seeds <= 1 else "seed-accuracy"

    def report(metrics: EpochMetrics) -> None:
        say(f"epoch={metrics.epoch} loss={metrics.loss:.6f} {name}={metrics.accuracy:.6f}")

    held_out = images.validation if len(images.validation) else images.test
    done = retrain(module, images.train, held_out, recipe, seed=seed, checkpoint=checkpoint, report=report)
    return done[-1].accuracy


if __name__ == "__main__":
    sys.exit(main())

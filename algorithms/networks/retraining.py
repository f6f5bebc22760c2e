"""Candidates of a search, trained from scratch over several seeds; what comes of it is kept in a folder.

DIR/NAME/result.json says what was trained how and how well, DIR/NAME/seed-N.pt has the weights. A seed that is there
is not trained again, and one that was interrupted goes on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from algorithms.architecture.reading import Architecture, read_architecture
from algorithms.networks.building import Width, network, parameter_count
from algorithms.networks.data import Images, load_images
from algorithms.networks.files import written_aside
from algorithms.networks.training import (
    EpochMetrics,
    Interval,
    Recipe,
    accuracy,
    interval,
    load_tensors,
    retrain,
    save_tensors,
)
from katib.core.errors import NotFoundError, PermanentError

RESULT = "result.json"
_UNUSUAL = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Setup:
    """What candidates are trained on and how.

    data: name of a data set. data_folder: where it lies. examples: training images at most. validation: the share of
    the training images that is not trained on but chosen by; 0: none, the order of the candidates decides. seeds: how
    many networks of each candidate. first_seed: of the first of them. device: ``auto`` takes a GPU where there is one.
    """

    data: str
    data_folder: str | None = None
    examples: int | None = None
    validation: float = 0.1
    seeds: int = 3
    first_seed: int = 1
    device: str = "auto"
    width: Width = field(default_factory=Width)
    recipe: Recipe = field(default_factory=Recipe)

    @classmethod
    def of(cls, **options: Any) -> Setup:
        """Of the fields by name, those of ``Width`` and of ``Recipe`` among them."""
        width, recipe = (
            {key: options.pop(key) for key in kind.__dataclass_fields__ if key in options} for kind in (Width, Recipe)
        )
        return cls(width=Width(**width), recipe=Recipe(**recipe), **options)

    def images(self) -> Images:
        """Raises as ``load_images`` does."""
        return load_images(
            self.data,
            folder=self.data_folder,
            examples=self.examples,
            validation=self.validation,
            device=chosen_device(self.device),
        )


@dataclass(frozen=True, slots=True)
class Retrained:
    """A candidate and how good it is.

    parameters: numbers that are trained. validation, test: accuracy of each seed's network, 0 to 1; validation is None
    where nothing was kept for it. shape: channels, height, width of an image. mean, deviation: of each channel, by
    which pixels were normalised. setup: what it was trained on and how. folder: where its weights are.
    """

    name: str
    architecture: Architecture
    parameters: int
    validation: Interval | None
    test: Interval
    shape: tuple[int, int, int]
    classes: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    setup: dict[str, Any]
    folder: Path

    @property
    def best_seed(self) -> int:
        """The seed that is best on the validation images, the first one without these."""
        values = self.validation.values if self.validation else (0.0,)
        return int(self.setup["first_seed"]) + values.index(max(values))

    def network(self, seed: int | None = None) -> nn.Module:
        """A trained network, the best seed's unless told, ready to classify, without an auxiliary head. Raises
        PermanentError if its weights are not there."""
        width = replace(Width(**self.setup["width"]), auxiliary=False)
        module = network(self.architecture, self.classes, self.shape, width)
        state = load_tensors(_weights(self.folder, self.best_seed if seed is None else seed))
        try:
            module.load_state_dict(state)
        except (RuntimeError, AttributeError, TypeError) as error:
            raise PermanentError(f"{self.folder}: weights of another network: {error}") from None
        return module.eval()


Report = Callable[[str, int, EpochMetrics], None]  # name, seed, metrics


def retrain_all(
    candidates: Sequence[tuple[str, Architecture]], setup: Setup, folder: Path, report: Report | None = None
) -> list[Retrained]:
    """Train all candidates, given by (name, architecture), the best of a search first; the best one first.

    report: called after each epoch. Raises PermanentError if the folder has results of other training, and what
    ``load_images`` raises.
    """
    images = setup.images()
    done = [_retrained(name, architecture, images, setup, folder, report) for name, architecture in candidates]
    return _ranked(done)


def read_retrained(folder: Path) -> list[Retrained]:
    """What ``retrain_all`` left in a folder, the best one first. Raises NotFoundError, PermanentError."""
    files = sorted(folder.glob(f"*/{RESULT}"))
    if not files:
        raise NotFoundError(f"{folder}: no retrained networks there; make some with: katib nas retrain")
    found = [(tree["place"], _read(file, tree)) for file, tree in ((file, _tree(file)) for file in files)]
    return _ranked([each for _, each in sorted(found, key=lambda pair: pair[0])])


def evaluate(found: Retrained, images: Images) -> Interval:
    """The accuracy of each seed's network on the test images. Raises PermanentError if the images are of another
    shape."""
    if images.shape != found.shape:
        raise PermanentError(f"{found.name}: its images are {found.shape}, those of {images.name} are {images.shape}")
    device = images.test.inputs.device
    return interval([accuracy(found.network(seed).to(device), images.test) for seed in _seeds(found.setup)])


def chosen_device(name: str) -> str:
    """``auto``: a GPU where there is one. Raises PermanentError for one that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise PermanentError(f"device {name!r}: {error}") from None
    return name


def _ranked(found: list[Retrained]) -> list[Retrained]:
    return sorted(found, key=lambda each: -each.validation.mean if each.validation else 0.0)


def _retrained(
    name: str, architecture: Architecture, images: Images, setup: Setup, folder: Path, report: Report | None
) -> Retrained:
    place = folder / _UNUSUAL.sub("-", name)
    described = json.loads(json.dumps(asdict(setup)))
    result = place / RESULT
    if result.is_file():
        kept = _tree(result)
        if kept["architecture"] != str(architecture) or kept["setup"] != described:
            raise PermanentError(f"{place}: has results of other training; name another folder")
        return _read(result, kept)
    scores = [_trained(name, architecture, images, setup, seed, place, report) for seed in _seeds(described)]
    module = network(architecture, images.classes, images.shape, setup.width)
    tree = {
        "name": name,
        "place": len(list(folder.glob(f"*/{RESULT}"))),
        "architecture": str(architecture),
        "parameters": parameter_count(module),
        "validation": [each[0] for each in scores] if len(images.validation) else None,
        "test": [each[1] for each in scores],
        "shape": list(images.shape),
        "classes": images.classes,
        "mean": list(images.mean),
        "deviation": list(images.deviation),
        "setup": described,
    }
    with written_aside(result) as aside:
        aside.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")
    for checkpoint in place.glob("*.checkpoint"):
        checkpoint.unlink()
    return _read(result, tree)


def _trained(  # noqa: PLR0913 - one network of one candidate
    name: str,
    architecture: Architecture,
    images: Images,
    setup: Setup,
    seed: int,
    place: Path,
    report: Report | None,
) -> tuple[float, float]:
    """Accuracy on validation (nan without) and test images."""
    module = network(architecture, images.classes, images.shape, setup.width, seed=seed)
    device = torch.device(chosen_device(setup.device))
    checkpoint = place / f"seed-{seed}.checkpoint"
    held_out = images.validation if len(images.validation) or report is None else images.test
    told = None if report is None else lambda metrics: report(name, seed, metrics)
    retrain(module, images.train, held_out, setup.recipe, seed=seed, checkpoint=checkpoint, report=told)
    state = {key: tensor.cpu() for key, tensor in module.state_dict().items() if not key.startswith("auxiliary.")}
    scores = accuracy(module.to(device), images.validation), accuracy(module, images.test)
    save_tensors(_weights(place, seed), state)
    return scores


def _seeds(setup: dict[str, Any]) -> Iterator[int]:
    return iter(range(setup["first_seed"], setup["first_seed"] + setup["seeds"]))


def _weights(place: Path, seed: int) -> Path:
    return place / f"seed-{seed}.pt"


def _tree(file: Path) -> dict[str, Any]:
    try:
        tree: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        missing = [name for name in ("place", "architecture", "setup", "test") if name not in tree]
    except (OSError, ValueError, TypeError) as error:
        raise PermanentError(f"{file}: {error}") from None
    if missing:
        raise PermanentError(f"{file}: no result of retraining: {', '.join(missing)} missing")
    return tree


def _read(file: Path, tree: dict[str, Any]) -> Retrained:
    validation = tree["validation"]
    known = None if validation is None or any(map(math.isnan, validation)) else interval(validation)
    return Retrained(
        name=tree["name"],
        architecture=read_architecture(tree["architecture"]),
        parameters=tree["parameters"],
        validation=known,
        test=interval(tree["test"]),
        shape=tuple(tree["shape"]),
        classes=tree["classes"],
        mean=tuple(tree["mean"]),
        deviation=tuple(tree["deviation"]),
        setup=tree["setup"],
        folder=file.parent,
    )

"""``python -m algorithms.darts.train``: the program of a trial of ``darts``.

It takes the three texts of the suggestion service, as Katib's trial image does, and options of its own. A line of
metrics comes after each epoch of the search; at the end ``accuracy=0.98``, that of the best genotype's network on test
images after training from scratch, and ``Best-Genotype=Genotype(...)``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from algorithms.architecture.wire import unquoted
from algorithms.darts.device import prepared_device
from algorithms.darts.presets import PRESETS
from algorithms.darts.search import Schedule, Search
from algorithms.darts.suggestion import LAYERS, ON, SEARCH_SPACE, SETTINGS, DartsSettings, read_settings
from algorithms.darts.trial import SearchTrial, choose, retrained, tell_result
from algorithms.darts.wiring import SupernetShape
from algorithms.networks.building import Width
from algorithms.networks.data import DIGITS, NAMES, load_images
from algorithms.networks.exporting import ENDINGS, export_network
from algorithms.networks.retraining import Setup
from algorithms.networks.training import Recipe
from algorithms.networks.trial_program import CHECKPOINT_FOLDER, SEED, checkpoint_folder, ended, say, trial_seed
from katib.core.errors import PermanentError
from katib.core.experiment import Component

# Those of the paper, in the order of Katib's example
OPERATIONS = (
    "separable_convolution_3x3", "separable_convolution_5x5", "dilated_convolution_3x3", "dilated_convolution_5x5",
    "avg_pooling_3x3", "max_pooling_3x3", "skip_connection",
)  # fmt: skip
AUGMENTED: Mapping[str, Mapping[str, Any]] = {
    DIGITS: {},  # they fill their 8x8 pixels: what is shifted is cut off, and accuracy falls
    "mnist": {"shift": 2},
    "cifar10": {"shift": 4, "flip": True, "cutout": 16},
}
KEPT_FROM_CANDIDATES = 0.1  # of the training images
BATCH = 64  # where batch_size is None
RECORD = "alphas.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trial; its exit status, as ``trial_program`` tells."""
    options = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as aside:
        return ended(lambda: run(options, options.checkpoint or Path(aside)))


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m algorithms.darts.train", description="Search cells by DARTS")
    kept = checkpoint_folder()
    texts = made.add_argument_group("what the suggestion service gives")
    texts.add_argument(f"--{SETTINGS}", default="{}", help="settings as JSON, with single quotes if need be")
    texts.add_argument(f"--{SEARCH_SPACE}", default=None, help="list of operations; DARTS' own unless given")
    texts.add_argument(f"--{LAYERS}", type=int, default=8, help="cells of the supernet")
    made.add_argument("--preset", choices=PRESETS, help="method, as the setting of that name")
    made.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; may be repeated")
    made.add_argument("--data", choices=NAMES, default=DIGITS)
    made.add_argument("--data-folder", help="where mnist and cifar10 lie; else what KATIB_DATA says")
    made.add_argument("--examples", type=int, help="training images at most")
    made.add_argument("--checkpoint", type=Path, default=kept, metavar="FOLDER",
                      help=f"of the search and its networks, gone on from [{CHECKPOINT_FOLDER}]")  # fmt: skip
    made.add_argument("--record", type=Path, default=kept and kept.parent / RECORD, metavar="FILE",
                      help=f"gets the operations' weights after each epoch; else {RECORD} in FOLDER")  # fmt: skip
    made.add_argument("--seed", type=int, help=f"[{SEED}, or 0]")
    made.add_argument("--threads", type=int, default=1, help="of the processor")
    made.add_argument("--device", default="auto", help="auto takes a GPU where there is one")
    made.add_argument("--compile", action="store_true", help="compile the supernet; on a GPU as a graph")
    made.add_argument("--bfloat16", choices=("auto", "on", "off"), default="auto", help="auto: on a GPU that has it")
    made.add_argument("--retrain-cells", type=int, help="cells of the final network; else those of the supernet")
    made.add_argument("--retrain-channels", type=int, help="channels of its first cell; else those of the supernet")
    made.add_argument("--export", type=Path, metavar="FILE",
                      help=f"the final network, in the form of its ending: {', '.join(ENDINGS.values())}")  # fmt: skip
    return made


def run(options: argparse.Namespace, folder: Path) -> None:
    """Search, select and retrain in ``folder``. Raises KatibError."""
    form = _form(options.export)
    if options.seed is None:
        options.seed = trial_seed()
    settings = settings_of(options)
    search = search_of(options, settings)
    trial = SearchTrial(
        search, folder, say, record=options.record or folder / RECORD,
        stops_at_collapse=settings.stop_at_collapse == ON,
    )  # fmt: skip
    trial.run()
    chosen = choose(trial.genotypes(settings.candidates), setup_of(options, settings, search, brief=True), folder, say)
    best = retrained(chosen, setup_of(options, settings, search), folder)
    if form is not None:
        export_network(best, form, options.export)
    tell_result(best, say)


def setup_of(options: argparse.Namespace, settings: DartsSettings, search: Search, *, brief: bool = False) -> Setup:
    """Of the training from scratch. brief: of candidates, which are judged by images that are kept from them; the final
    network learns from all training images."""
    width = Width(
        channels=options.retrain_channels or settings.init_channels,
        cells=options.retrain_cells or search.shape.cells,
    )
    epochs = settings.epochs_of_candidates if brief else settings.retrain_epochs
    return Setup(
        options.data, options.data_folder, options.examples, KEPT_FROM_CANDIDATES if brief else 0, seeds=1,
        first_seed=options.seed, device=str(search.device), width=width,
        recipe=Recipe(epochs=epochs, **AUGMENTED[options.data]),
    )  # fmt: skip


def settings_of(options: argparse.Namespace) -> DartsSettings:
    """Those of the service, and those set beside them. Raises SpecError, PermanentError."""
    given = _read(options.algorithm_settings, f"--{SETTINGS}", dict)
    texts = {str(name): str(value) for name, value in given.items()}
    for text in options.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise PermanentError(f"--set: got {text!r}, expected NAME=VALUE")
        texts[name] = value
    if options.preset:
        texts["preset"] = options.preset
    return read_settings(Component("darts", texts), f"--{SETTINGS}")


def search_of(options: argparse.Namespace, settings: DartsSettings) -> Search:
    """The search at its beginning. Raises PermanentError, and what ``load_images`` raises."""
    device, method = prepared_device(options.device, options.threads), settings.method
    images = load_images(
        options.data, folder=options.data_folder, examples=options.examples, validation=0.5, device=device
    )
    operations: tuple[str, ...] = OPERATIONS
    if options.search_space is not None:
        operations = tuple(map(str, _read(options.search_space, f"--{SEARCH_SPACE}", list)))
    shape = SupernetShape(
        operations, settings.num_nodes, options.num_layers, settings.init_channels, images.shape, images.classes,
        settings.stem_multiplier, method.partial_channels, method.auxiliary_skip,
    )  # fmt: skip
    half = options.bfloat16 == "on" or (options.bfloat16 == "auto" and device.type == "cuda")
    schedule = Schedule(
        settings.num_epochs, settings.batch_size or BATCH, settings.w_lr, settings.w_lr_min, settings.w_momentum,
        settings.w_weight_decay, settings.w_grad_clip, settings.alpha_lr, settings.alpha_weight_decay,
        options.seed, options.compile, half,
    )  # fmt: skip
    return Search(shape, method, schedule, images.train, images.validation)


def _form(file: Path | None) -> str | None:
    """The form that a file's ending asks for. Raises PermanentError for another ending."""
    if file is None:
        return None
    found = [form for form, ending in ENDINGS.items() if ending == file.suffix]
    if not found:
        raise PermanentError(f"--export: got {str(file)!r}, expected an ending of {', '.join(ENDINGS.values())}")
    return found[0]


def _read(text: str, option: str, kind: type) -> Any:
    try:
        tree = unquoted(text)
    except ValueError as error:
        raise PermanentError(f"{option}: {error}") from None
    if not isinstance(tree, kind):
        raise PermanentError(f"{option}: got {text!r}, expected a {kind.__name__}")
    return tree


if __name__ == "__main__":
    sys.exit(main())

"""``katib nas``: from the architectures that a search found to networks: trained, judged, exported, drawn.

What needs PyTorch is loaded when a command runs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from algorithms.architecture.pictures import Titled, draw_beside, draw_weights, read_record
from algorithms.architecture.pictures.heat_map import RECORD
from algorithms.architecture.reading import Architecture, read_architecture
from katib.architectures import Found, best_architectures
from katib.cli.exits import OK
from katib.cli.output import opened_output, print_object, print_table
from katib.cli.workshop import Command, find_experiment, namespace_option, open_workshop, output_option, store_option
from katib.core.errors import NotFoundError, PermanentError, SpecError
from katib.core.naming import load
from katib.core.trial import AttemptId, Key
from trial_runners.attempt_folder import AttemptFolder

RETRAINING = "algorithms.networks.retraining"
EXPORTING = "algorithms.networks.exporting"
FORMATS = ("state-dict", "onnx", "source")
_EXPERIMENT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_FOLDER = click.Path(path_type=Path, file_okay=False)


def _use_threads(_context: click.Context, _option: click.Parameter, threads: int | None) -> None:
    if threads:
        load("number of threads", "torch:set_num_threads", {})(threads)


what_argument = click.argument("what", metavar="NAME|FILE|TEXT")
out_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to  [default: standard output]"
)
data_options = (
    click.option(
        "--data-folder", type=_FOLDER, envvar="KATIB_DATA", metavar="DIR",
        help="Where mnist and cifar10 lie  [default: $KATIB_DATA]",
    ),
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1; auto: a GPU, if any"),
    click.option(
        "--threads", type=click.IntRange(1), callback=_use_threads, expose_value=False,
        help="Of the processor  [default: $OMP_NUM_THREADS, or all cores]",
    ),
)  # fmt: skip


@click.group(short_help="Train, judge, export and draw the architectures that a search found")
def nas() -> None:
    """From the architectures that a search found to networks.

    NAME is an experiment: its best trials' architectures are taken, out of their parameters or of the metrics
    Best-Genotype and Best-Architecture. In its place a FILE or a TEXT may have an architecture: Genotype(...), a cell
    of NAS-Bench-201, or a JSON object with a trial's parameters.
    """


def _with(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@nas.command("retrain", short_help="Train the best architectures from scratch, over several seeds")
@what_argument
@click.option("--out", "folder", type=_FOLDER, required=True, metavar="DIR", help="Where weights and results go")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="Architectures that are trained")
@click.option("--data", default="digits", show_default=True, help="digits, mnist or cifar10")
@_with(data_options)
@click.option("--examples", type=click.IntRange(2), help="Training images at most  [default: all]")
@click.option("--validation", type=float, default=0.1, show_default=True, metavar="SHARE",
              help="Share of the training images that is chosen by, not trained on")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True, help="Epochs of each network")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Networks of each architecture")
@click.option("--first-seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of the first of them")
@click.option("--channels", type=click.IntRange(1), help="Of the first cells  [default: as published]")
@click.option("--cells", type=click.IntRange(1), help="Of a genotype's network, of each of NAS-Bench-201's stages  "
              "[default: as published]")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(2), default=64, show_default=True, help="Images of a step")
@click.option("--learning-rate", type=float, default=0.05, show_default=True, metavar="NUMBER", help="At the beginning")
@click.option("--cutout", type=click.IntRange(0), default=0, show_default=True, help="Side of a blanked square, pixels")
@click.option("--flip", is_flag=True, help="Mirror half of the images")
@click.option("--shift", type=click.IntRange(0), default=0, show_default=True, help="Move images by so many pixels")
@click.option("--label-smoothing", type=float, default=0.0, show_default=True, metavar="SHARE", help="Of the loss")
@click.option("--drop-path", type=float, default=0.0, show_default=True, metavar="SHARE", help="Of a genotype's edges")
@click.option("--auxiliary", is_flag=True, help="Train a genotype's network with a second classifier")
@click.option("-q", "--quiet", is_flag=True, help="No line for each epoch")
@namespace_option
@store_option
@output_option("table", "json", "yaml")
def retrain(what: str, folder: Path, top: int, output: str, **options: Any) -> int:
    """Train the best architectures from scratch, each over several seeds, and say how good they are.

    The one that is best on validation images comes first; accuracy on test images is a mean over the seeds with its
    95 % interval. The same command goes on after an interruption.

    \b
    Examples:
      katib nas retrain my-search --data digits --epochs 20 --out retrained
      katib nas retrain genotype.txt --data cifar10 --channels 36 --cells 20 --epochs 600 --auxiliary --out retrained
    """
    candidates = _candidates(what, options.pop("namespace"), options.pop("store"), top)
    quiet = options.pop("quiet")
    folder_of_data = options.pop("data_folder")
    setup = load("network", f"{RETRAINING}:Setup", {}).of(
        data_folder=None if folder_of_data is None else str(folder_of_data), **options
    )
    report = None if quiet or output != "table" else _print_epoch
    found = load("network", f"{RETRAINING}:retrain_all", {})(candidates, setup, folder, report)
    _print_retrained([(each, each.test) for each in found], output)
    if output == "table":
        click.echo(f"networks in {folder}; see: katib nas export {folder} --format source")
    return OK


@nas.command("evaluate", short_help="Judge retrained networks on test images")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option("--data", help="Another data set, of images of the same shape  [default: what they were trained on]")
@_with(data_options)
@output_option("table", "json", "yaml")
def evaluate(folder: Path, data: str | None, data_folder: Path | None, device: str, output: str) -> int:
    """Judge the networks that retrain left in DIR on the test images, from their weights.

    \b
    Examples:
      katib nas evaluate retrained
      katib nas evaluate retrained -o json
    """
    found = load("network", f"{RETRAINING}:read_retrained", {})(folder)
    judge, setup = (load("network", f"{RETRAINING}:{name}", {}) for name in ("evaluate", "Setup"))
    place = None if data_folder is None else str(data_folder)
    names = {data or each.setup["data"] for each in found}
    images = {name: setup(name, place, validation=0.0, device=device).images() for name in names}
    _print_retrained([(each, judge(each, images[data or each.setup["data"]])) for each in found], output)
    return OK


@nas.command("export", short_help="Write a retrained network as weights, ONNX or source")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write")
@click.option("--name", help="Trial whose network is written  [default: the best one]")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Where to  [default: network.pt, network.onnx or network.py in DIR]")  # fmt: skip
def export(folder: Path, form: str, name: str | None, output: Path | None) -> int:
    """Write the best network that retrain left in DIR: its weights (state_dict, read with weights_only=True), an ONNX
    file for any number of images, or the source of a PyTorch module that needs nothing but PyTorch and loads these
    weights.

    \b
    Examples:
      katib nas export retrained --format state-dict
      katib nas export retrained --format source -o digits.py
    """
    found = load("network", f"{RETRAINING}:read_retrained", {})(folder)
    chosen = [each for each in found if name in (None, each.name)]
    if not chosen:
        raise NotFoundError(f"{folder}: no network of {name!r}; there are {', '.join(each.name for each in found)}")
    ending = load("network", f"{EXPORTING}:ENDINGS", {})[form]
    file = output or folder / f"network{ending}"
    load("network", f"{EXPORTING}:export_network", {})(chosen[0], form, file)
    click.echo(f"{chosen[0].name}, seed {chosen[0].best_seed}: {file}")
    return OK


@nas.command("draw", short_help="Draw architectures, or the weights of a search, as SVG")
@what_argument
@click.option("--top", type=click.IntRange(1), default=2, show_default=True, help="Architectures beside each other")
@click.option("--weights", is_flag=True, help="Instead: how a search within one trial weighted the operations")
@out_option
@namespace_option
@store_option
def draw(what: str, top: int, weights: bool, output: Path | None, namespace: str, store: str) -> int:
    """Draw the best architectures beside each other as SVG; what the first one has not is ringed.

    With --weights the weight of each operation over the epochs of a search within one trial, as the best trial of the
    experiment NAME, or a FILE, has them in alphas.jsonl.

    \b
    Examples:
      katib nas draw my-search -o best.svg
      katib nas draw my-search --weights -o weights.svg
    """
    if weights:
        picture = _weights(what, namespace, store)
    else:
        given = _given(what)
        shown = [Titled("", given)] if given else _titled(_found(what, namespace, store, top))
        picture = draw_beside(shown)
    with opened_output(output) as file:
        file.write(picture)
    return OK


def _titled(found: Sequence[Found]) -> list[Titled]:
    return [Titled(each.title, each.architecture) for each in found]


def _weights(what: str, namespace: str, store: str) -> str:
    file = Path(what)
    if not file.is_file():
        best = _found(what, namespace, store, 1)[0].trial
        with open_workshop(store) as workshop:
            attempt = AttemptId(Key(namespace, what), best.name, best.attempt)
            folder = AttemptFolder.of(workshop.trials_folder, attempt).path
        places = (folder / RECORD, *folder.glob(f"*/{RECORD}"))
        file = next((place for place in places if place.is_file()), places[0])
    return draw_weights(read_record(file), f"{what}: weights of the operations")


def _candidates(what: str, namespace: str, store: str, top: int) -> list[tuple[str, Architecture]]:
    """(name, architecture) of each."""
    given = _given(what)
    if given is not None:
        return [(Path(what).stem if Path(what).is_file() else "architecture", given)]
    return [(each.trial.name, each.architecture) for each in _found(what, namespace, store, top)]


def _given(what: str) -> Architecture | None:
    """The architecture in a file or in the text itself; None for the name of an experiment."""
    if _EXPERIMENT.fullmatch(what) and not Path(what).is_file():
        return None
    try:
        return read_architecture(Path(what).read_text() if len(what) < 256 and Path(what).is_file() else what)
    except SpecError:
        raise
    except ValueError as error:
        raise PermanentError(str(error)) from None


def _found(name: str, namespace: str, store: str, top: int) -> list[Found]:
    with open_workshop(store) as workshop:
        experiment = find_experiment(workshop.store, Key(namespace, name))
        found = best_architectures(experiment.spec.objective, workshop.store.trials(experiment.key), top)
    if not found:
        raise NotFoundError(f"experiment {name!r} has no finished trial with an architecture")
    return found


def _print_epoch(name: str, seed: int, metrics: Any) -> None:
    click.echo(f"{name} seed {seed} epoch {metrics.epoch}: loss {metrics.loss:.4f}, accuracy {metrics.accuracy:.4f}")


def _print_retrained(found: Sequence[tuple[Any, Any]], output: str) -> None:
    """(retrained, test accuracy), the best first."""
    if output == "table":
        head = ("NAME", "PARAMETERS", "SEEDS", "VALIDATION", "TEST")
        rows = [
            (each.name, str(each.parameters), str(len(test.values)), str(each.validation or ""), str(test))
            for each, test in found
        ]
        print_table(head, rows)
        click.echo(f"best: {found[0][0].architecture}")
        return
    trees = [
        {
            "name": each.name,
            "architecture": str(each.architecture),
            "parameters": each.parameters,
            "validation": _interval(each.validation),
            "test": _interval(test),
        }
        for each, test in found
    ]
    print_object({"networks": trees}, output)


def _interval(values: Any) -> dict[str, Any] | None:
    if values is None:
        return None
    return {"mean": values.mean, "half_width": values.half_width, "values": list(values.values)}
